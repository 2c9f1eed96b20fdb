package resource

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var identity = strings.Repeat("0f", 32)

// in is an Identity in a logical cluster below /registry.
func in(logicalCluster string, id Identity) Identity {
	id.Prefix, id.LogicalCluster = "/registry", logicalCluster
	return id
}

func TestIdentifyLogical(t *testing.T) {
	r := NewRegistry([]string{"/registry"})
	r.LearnLogical("/registry/")
	r.LearnScope(GroupResource{"lab.example.com", "zones"}, false)
	r.LearnScope(GroupResource{"lab.example.com", "boxes"}, true)
	for key, want := range map[string]Identity{
		"/registry/core/secrets/root/default/db":                                   in("root", id("", "secrets", "default", "db")),
		"/registry/core/secrets/root:org:ws/default/db":                            in("root:org:ws", id("", "secrets", "default", "db")),
		"/registry/core/namespaces/root/default":                                   in("root", id("", "namespaces", "", "default")),
		"/registry/core/services/root/default/web":                                 in("root", id("", "services", "default", "web")),
		"/registry/apps/deployments/root/default/web":                              in("root", id("apps", "deployments", "default", "web")),
		"/registry/apps/deployments/" + identity + "/root/default/web":             in("root", id("apps", "deployments", "default", "web")),
		"/registry/core/nodes/" + identity + "/root/n1":                            in("root", id("", "nodes", "", "n1")),
		"/registry/core/secrets/abc123def/root/default/db":                         in("root", id("", "secrets", "default", "db")), // too many segments for another
		"/registry/rbac.authorization.k8s.io/clusterroles/root/admin":              in("root", id("rbac.authorization.k8s.io", "clusterroles", "", "admin")),
		"/registry/apiextensions.k8s.io/customresourcedefinitions/root/a.b.c":      in("root", id("apiextensions.k8s.io", "customresourcedefinitions", "", "a.b.c")),
		"/registry/apis.kcp.io/apibindings/customresources/2cynbfy2m0wtjqcs/x":     in("2cynbfy2m0wtjqcs", id("apis.kcp.io", "apibindings", "", "x")),
		"/registry/lab.example.com/vaults/customresources/root/default/v":          in("root", id("lab.example.com", "vaults", "default", "v")),
		"/registry/tenancy.kcp.io/workspaces/" + identity + "/root/compute":        in("root", id("tenancy.kcp.io", "workspaces", "", "compute")),
		"/registry/lab.example.com/vaults/" + identity + "/root/default/v":         in("root", id("lab.example.com", "vaults", "default", "v")),
		"/registry/lab.example.com/zones/abc123def/root/eu":                        in("root", id("lab.example.com", "zones", "", "eu")),
		"/registry/lab.example.com/boxes/root/default/b":                           in("root", id("lab.example.com", "boxes", "default", "b")),
		"/registry/lab.example.com/vaults/root/v":                                  in("root", id("lab.example.com", "vaults", "", "v")),
		"/registry/secrets/default/db":                                             in("", id("", "secrets", "default", "db")), // no kcp wrote it
		"/registry/secrets/default/a/b":                                            in("", id("", "secrets", "default", "a/b")),
		"/registry/masterleases/192.0.2.2":                                         in("", id("", "masterleases", "", "192.0.2.2")),
		"/registry/apiextensions.k8s.io/customresourcedefinitions/vaults.lab.test": in("", id("apiextensions.k8s.io", "customresourcedefinitions", "", "vaults.lab.test")),
		"/registry/lab.example.com/vaults/v":                                       in("", id("lab.example.com", "vaults", "", "v")),
		"/registry/core/secrets/root":                                              in("", id("", "core", "secrets", "root")),
	} {
		if got, ok := r.Identify(key); !ok || got != want {
			t.Errorf("Identify(%q) = %+v, %t, want %+v", key, got, ok, want)
		}
	}
	if !r.IsLogical("registry") || r.IsLogical("/other") {
		t.Error("IsLogical")
	}
}

// Two logical clusters may each have an object of that name.
func TestLogicalClustersAreToldApart(t *testing.T) {
	r := NewRegistry([]string{"/registry"})
	r.LearnLogical("/registry")
	one, _ := r.Identify("/registry/core/secrets/root/default/db")
	two, _ := r.Identify("/registry/core/secrets/2x9ko3lkqlzmhvq1/default/db")
	one.LogicalCluster, two.LogicalCluster = two.LogicalCluster, one.LogicalCluster
	if one.LogicalCluster != "2x9ko3lkqlzmhvq1" || two.LogicalCluster != "root" {
		t.Errorf("%+v, %+v", one, two)
	}
}

func TestFindLogicalPrefix(t *testing.T) {
	for key, want := range map[string]Guess{
		"/registry/core/secrets/root/default/db":                                 {Prefix: "/registry", Logical: true},
		"/registry/core/namespaces/root/default":                                 {Prefix: "/registry", Logical: true},
		"/a/b/core/secrets/root/default/db":                                      {Prefix: "/a/b", Logical: true},
		"/core/secrets/root/default/db":                                          {Prefix: "", Logical: true},
		"/registry/rbac.authorization.k8s.io/clusterroles/root/admin":            {Prefix: "/registry", Logical: true},
		"/registry/apps/deployments/customresources/root/default/web":            {Prefix: "/registry", Logical: true},
		"/registry/tenancy.kcp.io/workspaces/" + identity + "/root/compute":      {Prefix: "/registry", Logical: true},
		"/registry/apis.kcp.io/apibindings/customresources/2cynbfy2m0wtjqcs/x.y": {Prefix: "/registry", Logical: true},
		// A tenant whose prefix is the word of kcp's, and a namespace of that name.
		"/core/secrets/default/db":                       {Prefix: "/core"},
		"/registry/core/secrets/default/db":              {Prefix: "/registry/core"},
		"/registry/core/namespaces/default":              {Prefix: "/registry/core"},
		"/registry/lab.example.com/vaults/default/v":     {Prefix: "/registry", Custom: true},
		"/registry/lab.example.com/vaults/v":             {Prefix: "/registry", Custom: true},
		"/lab/lab.example.com/vaults/customresources/v":  {Prefix: "/lab", Custom: true},
		"/registry/lab.example.com/lab.example.com/w/n":  {Prefix: "/registry/lab.example.com", Custom: true},
		"/registry-lab/core.lab.example.com/shoots/ns/n": {Prefix: "/registry-lab", Custom: true},
		"/tenant.example.com/secrets/default/db":         {Prefix: "/tenant.example.com"},
	} {
		if got, ok := FindPrefix(key); got != want || !ok {
			t.Errorf("FindPrefix(%q) = %+v, %t, want %+v", key, got, ok, want)
		}
	}
}

func TestPrefixByType(t *testing.T) {
	for _, tt := range []struct {
		head, apiVersion, path string
		want                   Guess
	}{
		{"/registry/lab.example.com/lab.example.com/widgets", "lab.example.com/v1", "widgets", Guess{Prefix: "/registry/lab.example.com", Custom: true}},
		{"/registry/lab.example.com/widgets", "lab.example.com/v1", "widgets", Guess{Prefix: "/registry", Custom: true}},
		{"/agg/widgets", "lab.example.com/v1", "widgets", Guess{Prefix: "/agg"}},
		{"/agg/services/specs", "v1", "services/specs", Guess{Prefix: "/agg"}},
		{"/registry/core/configmaps/root", "v1", "configmaps", Guess{Prefix: "/registry", Logical: true}},
		{"/registry/core/configmaps", "v1", "configmaps", Guess{Prefix: "/registry/core"}},
		{"/registry/lab.example.com/widgets/root", "lab.example.com/v1", "widgets", Guess{Prefix: "/registry", Logical: true}},
		{"/registry/lab.example.com/widgets/abc/root", "lab.example.com/v1", "widgets", Guess{Prefix: "/registry", Logical: true}},
		{"/registry/lab.example.com/gizmozes", "lab.example.com/v1", "gizmos", Guess{Prefix: "/registry", Custom: true}},
		{"/widgets", "lab.example.com/v1", "widgets", Guess{}},
	} {
		last := tt.path[strings.LastIndexByte(tt.path, '/')+1:]
		if got, ok := PrefixByType(tt.head, tt.apiVersion, []string{last, tt.path, "lab.example.com/" + tt.path}); got != tt.want || !ok {
			t.Errorf("PrefixByType(%q) = %+v, %t, want %+v", tt.head, got, ok, tt.want)
		}
	}
	for _, head := range []string{"", "/", "widgets", "/agg/gadgets", "/agg/widgets/root", "/agg/widgets/a/b/c"} {
		if got, ok := PrefixByType(head, "lab.example.com/v1", []string{"widgets"}); ok {
			t.Errorf("PrefixByType(%q) = %+v, want none", head, got)
		}
	}
}

// Taking a key of kcp apart undoes putting it together.
func TestIdentifyLogicalIsTheInverse(t *testing.T) {
	name := rapid.StringMatching(`[a-z0-9.:~-]{1,20}`)
	r := NewRegistry([]string{"/registry"})
	r.LearnLogical("/registry")
	var all []builtin
	for _, b := range allBuiltins() {
		if !IsInternal(b.GroupResource) {
			all = append(all, b)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		b := all[rapid.IntRange(0, len(all)-1).Draw(rt, "resource")]
		want := in(name.Draw(rt, "cluster"), Identity{GroupResource: b.GroupResource, Name: name.Draw(rt, "name")})
		key := "/registry/" + map[bool]string{true: "core", false: b.Group}[b.Group == ""] + "/" + b.Resource
		key += rapid.SampledFrom([]string{"", "/customresources", "/" + identity}).Draw(rt, "marker") + "/" + want.LogicalCluster
		if b.scope == namespaced {
			want.Namespace = name.Draw(rt, "namespace")
			key += "/" + want.Namespace
		}
		key += "/" + want.Name
		if got, ok := r.Identify(key); !ok || got != want {
			rt.Fatalf("%q: %+v, %t, want %+v", key, got, ok, want)
		}
		if got, ok := FindPrefix(key); ok && got.Logical && got.Prefix != "/registry" {
			rt.Fatalf("%q: FindPrefix = %+v", key, got)
		}
	})
}

// No API server encrypts what it keeps of itself, and nothing else is called so.
func TestInternals(t *testing.T) {
	n := 0
	for _, b := range allBuiltins() {
		if IsInternal(b.GroupResource) {
			n++
			if b.scope != cluster || b.Group != "" {
				t.Errorf("%+v", b)
			}
		}
	}
	if n != 3 || len(internals) != n {
		t.Errorf("%d in the table of resources, %d in that of internals", n, len(internals))
	}
}
