package resource

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func id(group, resource, namespace, name string) Identity {
	return Identity{GroupResource: GroupResource{group, resource}, Namespace: namespace, Name: name}
}

// objectOf is the Identity of a key without its prefix, which a test of its own is about.
func (r *Registry) objectOf(key string) (Identity, bool) {
	got, ok := r.Identify(key)
	got.Prefix = ""
	return got, ok
}

func TestIdentify(t *testing.T) {
	tests := []struct {
		name string
		key  string
		want Identity // zero: names no object
	}{
		{"namespaced", "/registry/secrets/payments/db", id("", "secrets", "payments", "db")},
		{"cluster", "/registry/namespaces/payments", id("", "namespaces", "", "payments")},
		{"group from the table", "/registry/deployments/default/web", id("apps", "deployments", "default", "web")},
		{"rbac name with colons", "/registry/clusterroles/system:kube-scheduler", id("rbac.authorization.k8s.io", "clusterroles", "", "system:kube-scheduler")},
		{"event", "/registry/events/default/web.17a", id("", "events", "default", "web.17a")},
		{"lease", "/registry/leases/kube-node-lease/node-1", id("coordination.k8s.io", "leases", "kube-node-lease", "node-1")},
		{"services", "/registry/services/specs/default/kubernetes", id("", "services", "default", "kubernetes")},
		{"endpoints", "/registry/services/endpoints/default/kubernetes", id("", "endpoints", "default", "kubernetes")},
		{"ranges", "/registry/ranges/serviceips", id("", "ranges", "", "serviceips")},
		{"master lease", "/registry/masterleases/10.0.0.1", id("", "masterleases", "", "10.0.0.1")},
		{"peer server lease", "/registry/peerserverleases/apiserver-x", id("", "peerserverleases", "", "apiserver-x")},
		{"node", "/registry/minions/node-1", id("", "nodes", "", "node-1")},
		{"replication controller", "/registry/controllers/default/rc", id("", "replicationcontrollers", "default", "rc")},
		{"ingress", "/registry/ingress/default/web", id("networking.k8s.io", "ingresses", "default", "web")},
		{"pod security policy", "/registry/podsecuritypolicy/restricted", id("policy", "podsecuritypolicies", "", "restricted")},
		{"api service", "/registry/apiregistration.k8s.io/apiservices/v1.apps", id("apiregistration.k8s.io", "apiservices", "", "v1.apps")},
		{"crd", "/registry/apiextensions.k8s.io/customresourcedefinitions/vaults.lab.example.com", id("apiextensions.k8s.io", "customresourcedefinitions", "", "vaults.lab.example.com")},
		{"custom, two segments", "/registry/lab.example.com/vaults/default/v1", id("lab.example.com", "vaults", "default", "v1")},
		{"custom, one segment", "/registry/lab.example.com/vaults/v1", id("lab.example.com", "vaults", "", "v1")},
		{"custom, CRD says cluster", "/registry/lab.example.com/zones/eu/1", id("lab.example.com", "zones", "", "eu/1")},
		{"custom, CRD says namespaced", "/registry/lab.example.com/boxes/default/a/b", id("lab.example.com", "boxes", "default", "a/b")},
		{"third party resource", "/registry/ThirdPartyResourceData/istio.io/istioconfigs/default/rule", id("istio.io", "istioconfigs", "default", "rule")},
		{"not known", "/registry/gadgets/default/g", id("", "gadgets", "default", "g")},
		{"not known, one segment", "/registry/gadgets/g", id("", "gadgets", "", "g")},
		{"not a service path", "/registry/services/other/x", id("", "services", "other", "x")},

		{"openshift secret", "/kubernetes.io/secrets/openshift/pull", id("", "secrets", "openshift", "pull")},
		{"openshift access token", "/openshift.io/oauth/accesstokens/sha256~x", id("oauth.openshift.io", "oauthaccesstokens", "", "sha256~x")},
		{"openshift authorize token", "/openshift.io/oauth/authorizetokens/x", id("oauth.openshift.io", "oauthauthorizetokens", "", "x")},
		{"openshift client", "/openshift.io/oauth/clients/console", id("oauth.openshift.io", "oauthclients", "", "console")},
		{"openshift client authorization", "/openshift.io/oauth/clientauthorizations/u:c", id("oauth.openshift.io", "oauthclientauthorizations", "", "u:c")},
		{"openshift route", "/openshift.io/routes/default/web", id("route.openshift.io", "routes", "default", "web")},
		{"openshift identity", "/openshift.io/useridentities/github:7", id("user.openshift.io", "identities", "", "github:7")},
		{"openshift policy", "/openshift.io/authorization/local/policies/ns/default", id("authorization.openshift.io", "policies", "ns", "default")},
		{"openshift cluster network", "/openshift.io/registry/sdnnetworks/default", id("network.openshift.io", "clusternetworks", "", "default")},
		{"openshift custom resource", "/kubernetes.io/config.openshift.io/clusterversions/version", id("config.openshift.io", "clusterversions", "", "version")},

		{"longest prefix", "/registry/lab/secrets/ns/x", id("", "secrets", "ns", "x")},
		{"slash left over", "/registry/secrets/ns/a/b/", id("", "secrets", "ns", "a/b/")},
		{"slash left over, cluster", "/registry/namespaces/a/b", id("", "namespaces", "", "a/b")},
		{"no namespace", "/registry/secrets/db", id("", "secrets", "", "db")},
		{"empty namespace", "/registry/secrets//db", id("", "secrets", "", "db")},
		{"empty name before a slash", "/registry/secrets/ns//db", id("", "secrets", "ns", "/db")},
		{"not UTF-8", "/registry/secrets/\xff\xfe/\x00\x1b[31m", id("", "secrets", "\xff\xfe", "\x00\x1b[31m")},

		{"the prefix", "/registry", Identity{}},
		{"the prefix and a slash", "/registry/", Identity{}},
		{"empty resource", "/registry//x", Identity{}},
		{"only slashes", "/registry////", Identity{}},
		{"health", "/registry/health", Identity{}},
		{"resource only", "/registry/secrets", Identity{}},
		{"resource and a slash", "/registry/secrets/", Identity{}},
		{"namespace and a slash", "/registry/secrets/ns/", id("", "secrets", "ns", "")},
		{"half a path", "/registry/services/specs", Identity{}},
		{"group only", "/registry/lab.example.com", Identity{}},
		{"group and plural only", "/registry/lab.example.com/vaults", Identity{}},
		{"group and plural and a slash", "/registry/lab.example.com/vaults/", Identity{}},
		{"group and empty plural", "/registry/lab.example.com//x", Identity{}},
		{"third party resource, no object", "/registry/ThirdPartyResourceData/istio.io", Identity{}},
		{"prefix of a word", "/registryx/secrets/ns/x", Identity{}},
		{"no slash in front", "registry/secrets/ns/x", Identity{}},
		{"compact_rev_key", "compact_rev_key", Identity{}},
		{"another prefix", "/calico/ipam/v2/host", Identity{}},
		{"empty", "", Identity{}},
	}
	r := NewRegistry(append([]string{"registry/lab/"}, DefaultPrefixes...))
	r.LearnScope(GroupResource{"lab.example.com", "zones"}, false)
	r.LearnScope(GroupResource{"lab.example.com", "boxes"}, true)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := r.objectOf(tt.key)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != (tt.want != Identity{}) {
				t.Errorf("Identify(%q) = %t (-want +got):\n%s", tt.key, ok, diff)
			}
		})
	}
}

func TestNewRegistryNormalisesPrefixes(t *testing.T) {
	for prefix, key := range map[string]string{
		"registry": "/registry/pods/a/b", "/registry/": "/registry/pods/a/b", "//k8s/lab//": "/k8s/lab/pods/a/b",
		"": "/pods/a/b", "/": "/pods/a/b",
	} {
		if got, ok := NewRegistry([]string{prefix}).objectOf(key); !ok || got != id("", "pods", "a", "b") {
			t.Errorf("prefix %q, key %q: %+v, %t", prefix, key, got, ok)
		}
	}
	if got, ok := NewRegistry(nil).Identify("/registry/pods/a/b"); ok {
		t.Errorf("no prefix: %+v", got)
	}
}

func TestSegment(t *testing.T) {
	r := NewRegistry(DefaultPrefixes)
	for key, want := range map[string]string{
		"/registry/roles/ns/x":                                 "roles",
		"/registry/services/specs/ns/x":                        "services/specs",
		"/registry/lab.example.com/vaults/ns/x":                "lab.example.com/vaults",
		"/registry/apiregistration.k8s.io/apiservices/v1.":     "apiregistration.k8s.io/apiservices",
		"/registry/ThirdPartyResourceData/istio.io/rules/ns/x": "ThirdPartyResourceData/istio.io/rules",
		"/registry/gadgets/ns/x":                               "gadgets",
		"/openshift.io/authorization/cluster/policies/default": "authorization/cluster/policies",
		"/registry/roles/ns/":                                  "roles",
		"/registry/health":                                     "",
		"/elsewhere/roles/ns/x":                                "",
	} {
		if got, ok := r.Segment(key); got != want || ok != (want != "") {
			t.Errorf("Segment(%q) = %q, %t, want %q", key, got, ok, want)
		}
	}
}

func TestLearnGroup(t *testing.T) {
	tests := []struct {
		name    string
		segment string
		learn   string // apiVersions, separated by a space
		want    string // the group
	}{
		{"nothing", "roles", "", "rbac.authorization.k8s.io"},
		{"as in the table", "roles", "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"},
		{"another than in the table", "workloads", "batch.lab/v1 batch.lab/v1 scheduling.k8s.io/v1", "batch.lab"},
		{"a tie with the table", "workloads", "a.lab/v1 scheduling.k8s.io/v1", "scheduling.k8s.io"},
		{"a tie without the table", "gadgets", "b.lab/v1 a.lab/v1", "a.lab"},
		{"a tie, the other order", "gadgets", "a.lab/v1 b.lab/v1", "a.lab"},
		{"most, in any order", "gadgets", "a.lab/v1 b.lab/v1 a.lab/v1 b.lab/v1 b.lab/v2", "b.lab"},
		{"legacy extensions", "deployments", "extensions/v1beta1 extensions/v1beta1 apps/v1", "apps"},
		{"legacy extensions alone", "ingress", "extensions/v1beta1", "networking.k8s.io"},
		{"extensions below an unknown path", "gadgets", "extensions/v1beta1", "extensions"},
		{"core resource", "secrets", "evil.example.com/v1 evil.example.com/v1", ""},
		{"events", "events", "events.k8s.io/v1 events.k8s.io/v1", ""},
		{"custom resource", "lab.example.com/vaults", "other.example.com/v1", "lab.example.com"},
		{"crd", "apiextensions.k8s.io/customresourcedefinitions", "other.example.com/v1", "apiextensions.k8s.io"},
		{"core group below an unknown path", "gadgets", "v1 v1 a.lab/v1", ""},
		{"no apiVersions", "gadgets", "/v1 a.lab/ a/b/c A.LAB/v1 a..lab/v1 \x00/v1", ""},
	}
	r := func() *Registry { return NewRegistry(DefaultPrefixes) }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := r()
			for _, v := range strings.Fields(tt.learn) {
				r.LearnGroup(tt.segment, v)
			}
			got, ok := r.Identify("/registry/" + tt.segment + "/ns/x")
			if !ok || got.Group != tt.want {
				t.Errorf("group %q, %t, want %q", got.Group, ok, tt.want)
			}
		})
	}
}

func TestLearnGroupInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		versions := rapid.SliceOf(rapid.SampledFrom([]string{"a.lab/v1", "b.lab/v1", "c.lab/v1", "batch/v1", "extensions/v1"})).Draw(rt, "versions")
		group := func() string {
			r := NewRegistry(DefaultPrefixes)
			for _, v := range versions {
				r.LearnGroup("jobs", v)
			}
			got, _ := r.Identify("/registry/jobs/ns/x")
			return got.Group
		}
		want := group()
		versions = rapid.Permutation(versions).Draw(rt, "another order")
		if got := group(); got != want {
			rt.Fatalf("%v: %q, in another order %q", versions, got, want)
		}
	})
}

func TestLearnScopeLastCounts(t *testing.T) {
	r := NewRegistry(DefaultPrefixes)
	vaults := GroupResource{"lab.example.com", "vaults"}
	r.LearnScope(vaults, true)
	r.LearnScope(vaults, false)
	if got, _ := r.objectOf("/registry/lab.example.com/vaults/a/b"); got != id("lab.example.com", "vaults", "", "a/b") {
		t.Errorf("%+v", got)
	}
}

func TestFindPrefix(t *testing.T) {
	for key, want := range map[string]string{
		"/k8s/lab-1/secrets/default/db":                                              "/k8s/lab-1",
		"/k8s/lab-1/services/specs/default/kubernetes":                               "/k8s/lab-1",
		"/k8s/lab-1/minions/node-1":                                                  "/k8s/lab-1",
		"/lab/apiregistration.k8s.io/apiservices/v1.":                                "/lab",
		"/lab/apiextensions.k8s.io/customresourcedefinitions/vaults.lab.example.com": "/lab",
		"/secrets/default/db":                                                        "",
		"/lab/secrets/pods/nodes":                                                    "/lab",
		"/secrets/secrets/ns/x":                                                      "/secrets",
		"/configmaps/namespaces/x":                                                   "",
		"/lab/clusterroles/admin":                                                    "/lab",
		"/k8s/secrets/namespaces/ns":                                                 "/k8s",
	} {
		if got, ok := FindPrefix(key); got != (Guess{Prefix: want}) || !ok {
			t.Errorf("FindPrefix(%q) = %+v, %t, want %q", key, got, ok, want)
		}
		if _, ok := NewRegistry([]string{want}).Identify(key); !ok {
			t.Errorf("%q names nothing under its own prefix", key)
		}
	}
	for _, key := range []string{
		"", "/", "//", "secrets/default/db", "/lab/secrets", "/lab/secrets/db", "/lab/secrets/a/b/c", "/lab/secrets//db",
		"/lab//secrets/default/db", "/lab/secrets/default/", "/app/users/alice", "/app/routes/a/b",
		"/registry/health", "/lab/clusterroles/a/b", "/lab/vaults/ns/x", "/lab/lab.example.com/vaults/a/b/c",
		"/lab/lab.example.com/lab.example.com", "/lab/lab..com/vaults/x", "/lab/core/secrets/a/b/c/d/e",
	} {
		if got, ok := FindPrefix(key); ok {
			t.Errorf("FindPrefix(%q) = %+v, want none", key, got)
		}
	}
}

// checkIdentify tells what holds for any key under any prefix: an Identity is
// made of parts of the key, in their order, and of names from the tables.
func checkIdentify(t testing.TB, prefix, key string) {
	t.Helper()
	checkIdentifyIn(t, NewRegistry([]string{prefix, "/registry"}), key)
	logical := NewRegistry([]string{prefix, "/registry"})
	logical.LearnLogical(prefix)
	checkIdentifyIn(t, logical, key)
}

func checkIdentifyIn(t testing.TB, r *Registry, key string) {
	t.Helper()
	r.LearnScope(GroupResource{"lab.example.com", "vaults"}, false)
	r.LearnGroup("gadgets", "lab/v1")
	got, ok := r.Identify(key)
	segment, ok2 := r.Segment(key)
	if ok != ok2 || ok != (got != Identity{}) || ok && (got.Resource == "" || got.Name == "" && !strings.HasSuffix(key, "/")) {
		t.Fatalf("%q: %+v, %t; segment %q, %t", key, got, ok, segment, ok2)
	}
	if found, ok := FindPrefix(key); ok {
		r := NewRegistry([]string{found.Prefix})
		if found.Logical {
			r.LearnLogical(found.Prefix)
		}
		named, ok := r.Identify(key)
		if !strings.HasPrefix(key, found.Prefix) || !ok || (named.LogicalCluster != "") != found.Logical {
			t.Fatalf("%q: FindPrefix = %+v, under which it names %+v", key, found, named)
		}
	}
	if !ok {
		return
	}
	tail := got.Name
	if got.Namespace != "" {
		tail = got.Namespace + "/" + tail
	}
	if !strings.HasSuffix(key, tail) || !strings.Contains(key, "/"+segment+"/") {
		t.Fatalf("%q: %+v, segment %q", key, got, segment)
	}
	if !strings.HasPrefix(key, strings.TrimSuffix(got.Prefix, "/")+"/") || !strings.Contains(key, "/"+got.LogicalCluster) {
		t.Fatalf("%q: %+v, which lies elsewhere", key, got)
	}
	known := slices.ContainsFunc(allBuiltins(), func(b builtin) bool { return b.GroupResource == got.GroupResource })
	if !known && got.GroupResource != (GroupResource{"lab", "gadgets"}) &&
		!strings.Contains(key, got.Group+"/"+got.Resource) && !(got.Group == "" && strings.Contains(key, got.Resource)) {
		t.Fatalf("%q: %v comes from nowhere", key, got.GroupResource)
	}
}

func allBuiltins() []builtin {
	var all []builtin
	for _, b := range builtins {
		all = append(all, b)
	}
	return all
}

func TestIdentifyAnything(t *testing.T) {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"registry", "secrets", "core", "customresources", strings.Repeat("0f", 32), "root", "services", "specs", "lab.example.com", "vaults", "gadgets", "oauth", "clients", "ThirdPartyResourceData", "", "."}),
		rapid.StringMatching(`[a-z.]{0,6}`), rapid.String(),
	)
	keys := rapid.Map(rapid.SliceOfN(part, 0, 8), func(parts []string) string { return "/" + strings.Join(parts, "/") })
	rapid.Check(t, func(rt *rapid.T) {
		checkIdentify(t, keys.Draw(rt, "prefix"), rapid.OneOf(keys, rapid.String()).Draw(rt, "key"))
	})
}

// Where nothing is odd, taking a key apart undoes putting it together.
func TestIdentifyIsTheInverse(t *testing.T) {
	paths := make([]string, 0, len(builtins))
	for p := range builtins {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	name := rapid.StringMatching(`[a-z0-9.:~-]{1,20}`)
	rapid.Check(t, func(rt *rapid.T) {
		prefix := rapid.StringMatching(`(/[a-z0-9.-]{1,8}){1,3}`).Draw(rt, "prefix")
		path := rapid.SampledFrom(paths).Draw(rt, "path")
		b := builtins[path]
		want := Identity{GroupResource: b.GroupResource, Name: name.Draw(rt, "name")}
		key := prefix + "/" + path + "/" + want.Name
		if b.scope == namespaced {
			want.Namespace = name.Draw(rt, "namespace")
			key = prefix + "/" + path + "/" + want.Namespace + "/" + want.Name
		}
		if got, ok := NewRegistry([]string{prefix}).objectOf(key); !ok || got != want {
			rt.Fatalf("%q: %+v, %t, want %+v", key, got, ok, want)
		}
	})
}

func FuzzIdentify(f *testing.F) {
	for _, key := range []string{
		"", "/registry", "/registry/secrets/ns/db", "/registry/services/specs/default/kubernetes", "/registry//x",
		"/registry/lab.example.com/vaults/ns/x", "/registry/gadgets/a/b/c/", "/k8s/lab-1/minions/n", "compact_rev_key",
		"/registry/ThirdPartyResourceData/istio.io/rules/default/r", "/registry/secrets/\xff/\x00",
		"/registry/core/secrets/root/default/db", "/registry/tenancy.kcp.io/workspaces/" + strings.Repeat("0f", 32) + "/root/compute",
		"/registry/apis.kcp.io/apibindings/customresources/root/x", "/registry/lab.example.com/lab.example.com/widgets/team-a/w1",
	} {
		f.Add("/registry", key)
		f.Add("", key)
	}
	f.Add("/openshift.io/", "/openshift.io/oauth/accesstokens/x")
	f.Fuzz(func(t *testing.T, prefix, key string) { checkIdentify(t, prefix, key) })
}

func BenchmarkIdentify(b *testing.B) {
	r := NewRegistry(DefaultPrefixes)
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("/registry/%s/namespace-%d/name-%d", []string{"secrets", "services/specs", "lab.example.com/vaults"}[i%3], i, i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Identify(keys[i%len(keys)])
	}
}
