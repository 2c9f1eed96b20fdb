package judge

import (
	"cmp"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// inScope reports whether the verdict is about a resource. One that only the configuration names
// gets into the scope here.
func (j *Judge) inScope(r resource.GroupResource) bool {
	if j.scope[r] != nil {
		return true
	}
	if !j.question.Configured || !keys.ConfiguredFor(j.question.Encryption, resource.Identity{GroupResource: r}).Encrypts() {
		return false
	}
	j.scope[r] = &report.ScopeCount{Resource: report.Text(r.String()), Configured: true}
	return true
}

// A clusterResource is a resource of one cluster.
type clusterResource struct {
	cluster report.ClusterID
	resource.GroupResource
}

// A clusterNamespace is a namespace of one cluster, and in kcp of one logical cluster.
type clusterNamespace struct {
	cluster                   report.ClusterID
	namespace, logicalCluster string
}

// countLive counts a live key in the inventory, whether it is in scope or not.
func (j *Judge) countLive(ev *seen.Evidence, e *seen.Entry, id resource.Identity, cluster report.ClusterID) {
	in := clusterResource{cluster, id.GroupResource}
	n := j.inventory[in]
	if n == nil {
		n = &report.ResourceCount{Cluster: cluster, Resource: report.Text(id.GroupResource.String()), Providers: map[report.Provider]int{}}
		j.inventory[in] = n
	}
	n.Keys++
	n.Providers[ev.Keys.Storages[e.Storage].Reported()]++
}

// countStatus counts a key in scope.
func (j *Judge) countStatus(id resource.Identity, cluster report.ClusterID, status report.Status) {
	in := clusterNamespace{cluster, id.Namespace, id.LogicalCluster}
	n := j.namespaces[in]
	if n == nil {
		n = &report.NamespaceCount{Cluster: cluster, Namespace: report.Text(id.Namespace), LogicalCluster: report.Text(id.LogicalCluster)}
		j.namespaces[in] = n
	}
	n.Add(status)
	all := j.scope[id.GroupResource]
	for _, scope := range []*report.ScopeCount{all, j.clusters.ScopeOf(cluster, id.GroupResource, all)} {
		scope.Keys++
		scope.Add(status)
	}
}

// addScope reports the counts of all keys.
func (j *Judge) addScope() {
	for _, s := range j.exposed {
		j.countStatus(s.id, s.cluster, s.exposed())
	}
	for _, n := range j.inventory {
		j.result.Inventory = append(j.result.Inventory, *n)
	}
	for _, n := range j.namespaces {
		j.result.Namespaces = append(j.result.Namespaces, *n)
	}
	// The resources that the user named come first, in that order.
	for _, resource := range j.question.Resources {
		j.result.Scope = append(j.result.Scope, *j.scope[resource])
		delete(j.scope, resource)
	}
	for _, resource := range slices.SortedFunc(maps.Keys(j.scope), compareResources) {
		j.result.Scope = append(j.result.Scope, *j.scope[resource])
	}
}

func compareResources(x, y resource.GroupResource) int { return cmp.Compare(x.String(), y.String()) }
