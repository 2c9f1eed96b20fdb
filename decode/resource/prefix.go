package resource

import (
	"strings"

	"github.com/etcdsift/etcdsift/decode/internal/kubename"
)

// A Guess is what one key tells of the --etcd-prefix that it lies under.
type Guess struct {
	Prefix  string // normalised: "" stands for the root of the key space
	Logical bool   // keys below it are laid out as those of kcp
	Custom  bool   // it goes by the group of a custom resource, which may be anything with a dot
}

// FindPrefix guesses the --etcd-prefix that a key implies: what goes before the
// first path segments that are a resource of Kubernetes and have as many
// segments behind them as an object of its scope needs. It is for a key under
// no known prefix whose value looks like one of Kubernetes' own, such as
// "/k8s/lab-1/secrets/default/db", where it returns "/k8s/lab-1". The prefix
// may be "", which stands for the root of the key space.
//
// Where no built-in resource tells, a segment that can be a group does, with one behind it that
// can be a resource of it: "/registry/lab.example.com/lab.example.com/widgets/team-a/w1" lies under
// "/registry/lab.example.com", because no resource has a dot in its name. Such a Guess is Custom.
//
// The resources of OpenShift give no hint: nobody can choose its prefix, and "users" or "images"
// might be anyone's.
func FindPrefix(key string) (Guess, bool) {
	if !strings.HasPrefix(key, "/") {
		return Guess{}, false
	}
	var custom Guess
	found := false
	for at := 0; at >= 0; at = nextSlash(key, at) {
		s := key[at+1:]
		if looksLogical(s) {
			return Guess{Prefix: key[:at], Logical: true}, true
		}
		p := parsePath(s)
		if p.known && !strings.HasSuffix(p.Group, ".openshift.io") && p.fits() {
			return Guess{Prefix: key[:at]}, true
		}
		if !found && !p.known && isGroupAndResource(p) {
			custom, found = Guess{Prefix: key[:at], Custom: true}, true
		}
		if s == "" || s[0] == '/' {
			return Guess{}, false // no API server writes an empty segment
		}
	}
	return custom, found
}

// isGroupAndResource reports whether what is not known can be an object of a custom resource.
func isGroupAndResource(p path) bool {
	return p.groupFixed && kubename.IsGroup(p.Group) && kubename.IsLabel(p.Resource) && p.fits()
}

// PrefixByType finds the --etcd-prefix of a key by the type that its value says it is of. head is
// the key without the namespace and the name; paths are what may stand there for the resource,
// "secrets" or "services/specs". Between the resource and the object may stand a logical cluster,
// and before that a word of kcp's. It is false if head does not hold the resource.
func PrefixByType(head, apiVersion string, paths []string) (Guess, bool) {
	group, ok := kubename.GroupOf(apiVersion)
	if !ok || !strings.HasPrefix(head, "/") {
		return Guess{}, false
	}
	inKey := group
	if group == "" {
		inKey = coreGroup
	}
	rest := head
	for between := range 3 {
		longest := ""
		for _, path := range paths {
			withGroup := strings.HasPrefix(path, inKey+"/") // what follows looks for the group itself
			if !withGroup && strings.HasSuffix(rest, "/"+path) && len(path) > len(longest) {
				longest = path // "services/specs" before "specs"
			}
		}
		if longest != "" {
			before := strings.TrimSuffix(rest, "/"+longest)
			below, grouped := strings.CutSuffix(before, "/"+inKey)
			switch {
			case between == 0 && (!grouped || group == ""):
				return Guess{Prefix: before}, true
			case between == 0:
				return Guess{Prefix: below, Custom: true}, true
			case grouped:
				return Guess{Prefix: below, Logical: true}, true
			}
		}
		i := strings.LastIndexByte(rest, '/')
		if i < 0 {
			break
		}
		rest = rest[:i]
	}
	// The resource of a custom kind may have any name. Its group stands before it.
	if i := strings.LastIndexByte(head, '/'); group != "" && kubename.IsLabel(head[i+1:]) {
		if prefix, ok := strings.CutSuffix(head[:i], "/"+group); ok {
			return Guess{Prefix: prefix, Custom: true}, true
		}
	}
	return Guess{}, false
}

// PrefixOf returns the first of the prefixes that a key lies under, "" for no such prefix.
func PrefixOf(key string, prefixes []string) string {
	for _, prefix := range prefixes {
		if strings.HasPrefix(key, prefix+"/") {
			return prefix
		}
	}
	return ""
}

// nextSlash returns the index of the first slash in s behind index at, or -1.
func nextSlash(s string, at int) int {
	i := strings.IndexByte(s[at+1:], '/')
	if i < 0 {
		return -1
	}
	return at + 1 + i
}

// fits tells whether what follows a path is an object of its scope.
func (p path) fits() bool {
	namespace, name, ok := strings.Cut(p.rest, "/")
	if p.scope == cluster || p.scope == unknownScope && !ok {
		return p.rest != "" && !ok
	}
	return namespace != "" && name != "" && !strings.Contains(name, "/")
}
