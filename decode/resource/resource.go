// Package resource tells which Kubernetes object a key of etcd names. A table tells the
// resources that are built into Kubernetes and OpenShift; a Registry learns the custom ones.
// It reads keys, never values.
package resource

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/decode/internal/kubename"
)

// A GroupResource names a kind of object as Kubernetes does: "secrets",
// "deployments.apps", "vaults.lab.example.com". The core group is empty.
type GroupResource struct {
	Group    string
	Resource string
}

func (r GroupResource) String() string {
	if r.Group == "" {
		return r.Resource
	}
	return r.Resource + "." + r.Group
}

// An Identity names one object. Namespace is empty for one of cluster scope. What a key holds
// stays as it is: in hostile evidence Namespace and Name may hold any bytes, slashes too.
//
// Two API servers that share an etcd may each have an object of that resource, namespace and
// name, and so may two logical clusters of one API server. Prefix and LogicalCluster tell them
// apart.
type Identity struct {
	GroupResource
	Namespace string
	Name      string

	Prefix         string // that the key lies under, "/" for the root of the key space; empty if it lies under none
	LogicalCluster string // of kcp, such as "root"; empty where keys hold none
}

// ParseGroupResource reads the String form of a GroupResource, as a user types it. It accepts
// resources and groups that it does not know, because there are custom ones, but not a core
// resource that does not exist: nobody extends the core group any more, and "nothing found"
// would answer a question about a misspelt resource. It refuses a group that stores nothing,
// and names the one to ask for. The error is for the user, and is not a *decode.FormatError.
func ParseGroupResource(s string) (GroupResource, error) {
	resource, group, dotted := strings.Cut(s, ".")
	r := GroupResource{Group: group, Resource: resource}
	switch {
	case s == "":
		return GroupResource{}, errors.New("empty resource name")
	case strings.Contains(s, "*"):
		return GroupResource{}, fmt.Errorf("resource %q: wildcards are not supported", s)
	case strings.Contains(s, "/"):
		return GroupResource{}, fmt.Errorf("resource %q: write RESOURCE.GROUP, such as deployments.apps", s)
	case strings.ToLower(s) != s:
		return GroupResource{}, fmt.Errorf("resource %q: resource names are lower case", s)
	case !kubename.IsLabel(resource), dotted && !kubename.IsGroup(group):
		return GroupResource{}, fmt.Errorf("resource %q: not of the form RESOURCE or RESOURCE.GROUP", s)
	}
	if stored, ok := storedAs(r); ok && stored != r {
		return GroupResource{}, fmt.Errorf("resource %q: did you mean %q?", s, stored)
	} else if !ok && !dotted {
		return GroupResource{}, fmt.Errorf("resource %q: no such resource in the core group", s)
	}
	return r, nil
}

// storedAs finds what r is stored as among the built-in resources: r itself; or
// where r lies in another group (no group given, extensions, events.k8s.io) or
// r is a singular, what it must stand for.
func storedAs(r GroupResource) (GroupResource, bool) {
	aliasGroup := r.Group == "" || r.Group == "extensions" || r.Group == "events.k8s.io"
	best, found := GroupResource{}, false
	for _, b := range builtins {
		switch {
		case b.GroupResource == r:
			return r, true
		case b.Group != r.Group && !aliasGroup:
			continue
		case b.Resource != r.Resource && b.Resource != r.Resource+"s" && b.Resource != r.Resource+"es":
			continue
		}
		// Map order is random, the answer must not be.
		if !found || b.String() < best.String() {
			best, found = b.GroupResource, true
		}
	}
	return best, found
}

// LastSegments returns the last segments of the paths under which a resource of
// that name may be stored, whatever its group: "specs" for services, "minions" for
// nodes, "vaults" for vaults.lab.example.com. A key of the resource has one of them
// between slashes.
func LastSegments(r GroupResource) []string {
	segments := []string{r.Resource}
	for path, b := range builtins {
		if b.Resource == r.Resource {
			segments = append(segments, path[strings.LastIndexByte(path, '/')+1:])
		}
	}
	slices.Sort(segments)
	return slices.Compact(segments)
}
