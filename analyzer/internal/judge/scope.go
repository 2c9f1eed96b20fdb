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

// countLive counts a live key in the inventory, whether it is in scope or not.
func (j *Judge) countLive(ev *seen.Evidence, e *seen.Entry, id resource.Identity) {
	n := j.inventory[id.GroupResource]
	if n == nil {
		n = &report.ResourceCount{Resource: report.Text(id.GroupResource.String()), Providers: map[report.Provider]int{}}
		j.inventory[id.GroupResource] = n
	}
	n.Keys++
	n.Providers[ev.Keys.Storages[e.Storage].Reported()]++
}

// countStatus counts a key in scope.
func (j *Judge) countStatus(id resource.Identity, status report.Status) {
	n := j.namespaces[id.Namespace]
	if n == nil {
		n = &report.NamespaceCount{Namespace: report.Text(id.Namespace)}
		j.namespaces[id.Namespace] = n
	}
	scope := j.scope[id.GroupResource]
	scope.Keys++
	switch status {
	case report.StatusPlaintext:
		n.Plaintext++
		scope.Readable++
	case report.StatusExposed:
		n.Exposed++
		scope.Readable++
	case report.StatusUnreadable:
		n.Unreadable++
		scope.Unreadable++
	default:
		n.Encrypted++
	}
}

// addScope reports the counts of all keys.
func (j *Judge) addScope() {
	for _, s := range j.exposed {
		j.countStatus(s.id, s.exposed())
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
