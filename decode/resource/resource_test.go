package resource

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes/scheme"
)

func TestParseGroupResource(t *testing.T) {
	longGroup := strings.Repeat("b.", 127) + "b" // two bytes more than a domain name may have
	for s, want := range map[string]GroupResource{
		"secrets":                              {"", "secrets"},
		"ranges":                               {"", "ranges"},
		"deployments.apps":                     {"apps", "deployments"},
		"ingresses.networking.k8s.io":          {"networking.k8s.io", "ingresses"},
		"vaults.lab.example.com":               {"lab.example.com", "vaults"},
		"oauthaccesstokens.oauth.openshift.io": {"oauth.openshift.io", "oauthaccesstokens"},
		"thirdpartyresources.extensions":       {"extensions", "thirdpartyresources"},
	} {
		got, err := ParseGroupResource(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("ParseGroupResource(%q) = %+v, %v, want %+v", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"":                       `empty resource name`,
		"*":                      `resource "*": wildcards are not supported`,
		"*.apps":                 `resource "*.apps": wildcards are not supported`,
		"apps/deployments":       `resource "apps/deployments": write RESOURCE.GROUP, such as deployments.apps`,
		"Secrets":                `resource "Secrets": resource names are lower case`,
		"secrets.":               `resource "secrets.": not of the form RESOURCE or RESOURCE.GROUP`,
		".apps":                  `resource ".apps": not of the form RESOURCE or RESOURCE.GROUP`,
		" secrets":               `resource " secrets": not of the form RESOURCE or RESOURCE.GROUP`,
		"a..b":                   `resource "a..b": not of the form RESOURCE or RESOURCE.GROUP`,
		"secrets\x1b":            `resource "secrets\x1b": not of the form RESOURCE or RESOURCE.GROUP`,
		"secret":                 `resource "secret": did you mean "secrets"?`,
		"deployments":            `resource "deployments": did you mean "deployments.apps"?`,
		"deployment.apps":        `resource "deployment.apps": did you mean "deployments.apps"?`,
		"ingress":                `resource "ingress": did you mean "ingresses.networking.k8s.io"?`,
		"deployments.extensions": `resource "deployments.extensions": did you mean "deployments.apps"?`,
		"events.events.k8s.io":   `resource "events.events.k8s.io": did you mean "events"?`,
		"a." + longGroup:         `resource "a.` + longGroup + `": not of the form RESOURCE or RESOURCE.GROUP`,
		"gadgets":                `resource "gadgets": no such resource in the core group`,
		strings.Repeat("a", 64):  `resource "` + strings.Repeat("a", 64) + `": not of the form RESOURCE or RESOURCE.GROUP`,
	} {
		got, err := ParseGroupResource(s)
		if err == nil || err.Error() != want || got != (GroupResource{}) {
			t.Errorf("ParseGroupResource(%q) = %+v, %v, want %s", s, got, err, want)
		}
	}
}

// Every path of the table identifies its own resource, and every name of it can
// be asked for.
func TestBuiltinsAgreeWithThemselves(t *testing.T) {
	seen := map[GroupResource]string{}
	for path, b := range builtins {
		if got, err := ParseGroupResource(b.String()); err != nil || got != b.GroupResource {
			t.Errorf("%s: %v, %v", path, got, err)
		}
		if other, ok := seen[b.GroupResource]; ok {
			t.Errorf("%s and %s are both %v", path, other, b)
		}
		seen[b.GroupResource] = path
		if n := strings.Count(path, "/") + 1; n > longestPath || b.scope == unknownScope {
			t.Errorf("%s: %d segments, scope %d", path, n, b.scope)
		}
	}
}

// notStored are resources of the API that no etcd ever holds.
var notStored = []string{
	"bindings", "componentstatuses", "evictions.policy", "imagereviews.imagepolicy.k8s.io",
	"localsubjectaccessreviews.authorization.k8s.io", "selfsubjectaccessreviews.authorization.k8s.io",
	"selfsubjectreviews.authentication.k8s.io", "selfsubjectrulesreviews.authorization.k8s.io",
	"subjectaccessreviews.authorization.k8s.io", "tokenrequests.authentication.k8s.io", "tokenreviews.authentication.k8s.io",
	"events.events.k8s.io", // stored as events
}

// The second witness of the table: every type of k8s.io/api that has a client
// of its own, with the scope that its markers say.
func TestBuiltinsAreAllOfKubernetes(t *testing.T) {
	byResource := map[GroupResource]builtin{}
	for _, b := range builtins {
		byResource[b.GroupResource] = b
	}
	dirs := sourceDirs(t)
	n := 0
	for gvk, typ := range scheme.Scheme.AllKnownTypes() {
		s, ok := clientScope(t, dirs[typ.PkgPath()], typ.Name())
		if !ok || gvk.Version == "__internal" {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		r := GroupResource{gvk.Group, plural.Resource}
		if r.Resource == "endpointses" {
			r.Resource = "endpoints"
		}
		if slices.Contains(notStored, r.String()) || gvk.Group == "extensions" && formerlyExtensions(byResource, r.Resource) {
			continue
		}
		n++
		if b, ok := byResource[r]; !ok || b.scope != s {
			t.Errorf("%s, %s: in the table %+v, %t; want scope %d", gvk, r, b, ok, s)
		}
	}
	if n < 100 {
		t.Errorf("only %d types compared", n)
	}
}

// formerlyExtensions tells a resource that has moved out of group extensions.
func formerlyExtensions(all map[GroupResource]builtin, resource string) bool {
	for r := range all {
		if r.Resource == resource && r.Group != "extensions" {
			return true
		}
	}
	return false
}

// sourceDirs finds the sources of the packages that the scheme's types are from.
func sourceDirs(t *testing.T) map[string]string {
	t.Helper()
	args := []string{"list", "-f", "{{.ImportPath}}\t{{.Dir}}"}
	seen := map[string]bool{}
	for _, typ := range scheme.Scheme.AllKnownTypes() {
		if p := typ.PkgPath(); strings.HasPrefix(p, "k8s.io/api/") && !seen[p] {
			seen[p] = true
			args = append(args, p)
		}
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	dirs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		dirs[path] = dir
	}
	return dirs
}

// clientScope reads the markers above a type in types.go. It is false for a type
// without a client, which is no resource.
func clientScope(t *testing.T, dir, name string) (scope, bool) {
	t.Helper()
	if dir == "" {
		return unknownScope, false
	}
	f, err := os.Open(filepath.Join(dir, "types.go"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	client, s := false, namespaced
	for lines := bufio.NewScanner(f); lines.Scan(); {
		switch line := lines.Text(); {
		case line == "// +genclient":
			client = true
		case line == "// +genclient:nonNamespaced":
			s = cluster
		case strings.HasPrefix(line, "type "+name+" struct"):
			return s, client
		case strings.HasPrefix(line, "type "):
			client, s = false, namespaced
		}
	}
	return unknownScope, false
}
