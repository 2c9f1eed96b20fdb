package judge

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/cluster"
	"github.com/etcdsift/etcdsift/analyzer/internal/history"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// A Judge answers one question about what was seen of all evidence. It is used in steps, each of
// them once: New; then for Scan Compare, and for History ProveCopies; then the answer.
type Judge struct {
	// What New is given. Keys settles the ledgers of evs, and Scan takes their copies away.
	question Question
	evs      []*seen.Evidence
	proofs   *keys.Proofs // nil if no value was decrypted
	nonces   *keys.Nonces

	clusters *cluster.Clusters // set by New

	// The keys in scope that have plaintext copies. New sets them; see Subject for what the other
	// steps do to each. rereads counts their copies that the tree has elsewhere, too.
	subjects map[cluster.Key]*Subject
	exposed  []*Subject // all of subjects, by namespace, name and key
	rereads  map[*seen.Evidence]int

	// Counts of keys. New counts all but the subjects in namespaces and scope; the answer adds those.
	inventory  map[clusterResource]*report.ResourceCount
	namespaces map[clusterNamespace]*report.NamespaceCount
	scope      map[resource.GroupResource]*report.ScopeCount // a resource is in scope if it is here

	// Which values need which encryption key. New counts the newest values, and Keys what the
	// ledgers have.
	uses     map[seen.KeyID]*keyUse
	moved    map[movedKey]bool // New: keys whose newest value opens with the path of another
	unknown  int               // New: newest values whose key nobody can tell
	logAlone bool              // Keys: there is a WAL without a db: nobody knows what was written before it

	// The keys to retire: empty unless the question names some. New finds them and their
	// stragglers.
	candidates []*candidate
	whole      map[*seen.Evidence][]bool // New: by StorageID, whether a whole value was stored like that

	// ProveCopies: what came of each encrypted copy of the key that the question asks for.
	copyProofs map[*seen.Copy]report.Proof

	// The answer: what a Report has. New and weigh add findings; weigh sets all but the exposures.
	// retire is of Keys.
	result *report.Report
	retire []report.Retirement
}

// A movedKey is a key in one evidence.
type movedKey struct {
	in  *seen.Evidence
	key string
}

// New finds out which keys the verdict is about, and what each of them is. p is nil if no value
// was decrypted. Facts and damage that evs get later are in the report, but the states of subjects
// do not depend on them: the caller then makes another Judge. New changes nothing in evs.
func New(evs []*seen.Evidence, q Question, p *keys.Proofs, n *keys.Nonces) *Judge {
	j := &Judge{
		question: q, evs: evs, proofs: p, nonces: n,
		clusters:   cluster.New(evs),
		subjects:   map[cluster.Key]*Subject{},
		inventory:  map[clusterResource]*report.ResourceCount{},
		namespaces: map[clusterNamespace]*report.NamespaceCount{},
		scope:      map[resource.GroupResource]*report.ScopeCount{},
		uses:       map[seen.KeyID]*keyUse{},
		moved:      map[movedKey]bool{},
		rereads:    map[*seen.Evidence]int{},
		result: &report.Report{
			Examined: report.Examined{
				SchemaVersion: report.SchemaVersion, Tool: q.Run.Tool, Run: q.Run, Clusters: []report.Cluster{}, Evidence: []report.Evidence{},
				Coverage: report.Coverage{Damage: []report.Damage{}, Unattributed: []report.Extent{}, NotExamined: []report.NotExamined{}},
			},
			Inventory: []report.ResourceCount{}, Namespaces: []report.NamespaceCount{},
			Exposures: []report.Exposure{}, Findings: []report.Finding{}, Scope: []report.ScopeCount{},
		},
	}
	if p != nil {
		for _, f := range p.Failures {
			if f.Newest && f.MovedFrom != "" {
				j.moved[movedKey{f.In, f.Key}] = true
			}
		}
	}
	j.findCandidates()
	for _, resource := range q.Resources {
		j.scope[resource] = &report.ScopeCount{Resource: report.Text(resource.String())}
	}
	for i, ev := range evs {
		j.addCopies(ev, int32(i))
	}
	for _, ev := range evs {
		for id, e := range ev.Keys.All() {
			j.addEntry(ev, e, ev.Keys.Broken[id])
		}
	}
	j.exposed = slices.SortedFunc(maps.Values(j.subjects), func(x, y *Subject) int {
		return cmp.Or(cmp.Compare(x.cluster, y.cluster), cmp.Compare(x.id.Namespace, y.id.Namespace), cmp.Compare(x.id.Name, y.id.Name), cmp.Compare(x.key, y.key))
	})
	return j
}

// addEntry takes what one evidence says of a key. err is what is wrong with its newest value, nil
// if nothing is.
func (j *Judge) addEntry(ev *seen.Evidence, e *seen.Entry, err error) {
	newest, deleted := j.clusters.IsNewest(ev, e), j.clusters.IsDeleted(ev, e)
	id := ev.Identity(e.Key)
	cluster := j.clusters.Of(ev, e.Key)
	if newest && !deleted {
		j.countLive(ev, e, id, cluster)
		j.addPolicyFinding(ev, e, id)
	}
	j.addUse(ev, e, id, newest && !deleted)
	if !e.Deleted && err != nil {
		j.addEnvelopeFinding(ev, e, err)
	}
	if !j.inScope(id.GroupResource) {
		return
	}
	if !e.Deleted && err == nil {
		j.addNoObject(ev, e)
	}
	if !newest {
		return // what counts is in another evidence
	}
	s := j.subjects[j.clusters.KeyOf(ev, e.Key)]
	if s == nil {
		if !deleted {
			j.countStatus(id, cluster, ev.StatusOf(e))
		}
		return
	}
	s.state = j.clusters.StateOf(ev, e)
	if !deleted {
		s.newest, s.in, s.status = e, ev, ev.StatusOf(e)
	}
}

// Scan is the answer on which objects can be read. It takes the copies out of the evidence. Like
// the other answers it is made of what is known by then, and reads nothing.
func (j *Judge) Scan() *report.Report {
	j.exposeAll(j.exposed)
	j.weigh()
	j.countCopies()
	j.result.Verdict = j.verdict()
	return j.result
}

// Keys is the answer on which encryption keys are needed.
func (j *Judge) Keys() *report.KeysReport {
	j.weigh()
	r := &report.KeysReport{Keys: j.listKeys()}
	j.answerRetire()
	j.result.Verdict = j.verdict()
	r.Examined, r.Retire, r.Findings, r.Inventory = j.result.Examined, j.retire, j.result.Findings, j.result.Inventory
	return r
}

// History is the answer on the copies of Question.Key.
func (j *Judge) History() *report.HistoryReport {
	return &report.HistoryReport{History: history.Of(j.evs, j.clusters, j.question.Key, j.copyProofs), Examined: *j.Examined()}
}

// ProveCopies decrypts the copies of Question.Key, if there is a configuration, and notes what came
// of each. Its error is that of ctx, or an *encryption.KMSError.
func (j *Judge) ProveCopies(ctx context.Context) (err error) {
	if j.question.Encryption == nil || j.question.Key == "" {
		return nil
	}
	j.copyProofs, err = history.Prove(ctx, j.evs, j.question.Encryption)
	return err
}

// Examined is the answer on what was read, and what was not.
func (j *Judge) Examined() *report.Examined {
	j.weigh()
	j.result.Verdict = j.verdict()
	return &j.result.Examined
}

// weigh makes all of the result but exposures and the verdict.
func (j *Judge) weigh() {
	j.addScope()
	j.addDisagreeingMembers()
	j.addConfiguration()
	j.addProofs(j.proofs)
	j.addLedgers(j.evs, j.proofs)
	j.addSharedNames()
	if j.question.Key == "" {
		j.addNonceFindings(j.nonces)
		j.addOveruse(j.evs)
		j.addWeakProviders()
	}
	j.addCoverage(j.evs)
	j.sort()
	j.addClusters()
}

// addFinding adds a finding to the report. Without a severity it gets that of its rule.
func (j *Judge) addFinding(f report.Finding) {
	if f.Severity == report.SeverityNone {
		f.Severity = severityOf(f.Rule)
	}
	if f.At == nil {
		f.At = []report.Location{}
	}
	j.result.Findings = append(j.result.Findings, f)
}

// objectFinding is a finding on an object that ev has, at those places. Its message is still to
// be made.
func (j *Judge) objectFinding(rule report.RuleID, ev *seen.Evidence, key string, at ...report.Location) report.Finding {
	id := ev.Identity(key)
	return report.Finding{
		Rule: rule, Cluster: j.clusters.Of(ev, key), Resource: report.Text(id.GroupResource.String()), Namespace: report.Text(id.Namespace), Name: report.Text(id.Name),
		Key: report.Text(key), At: at,
	}
}

// locationOf is where the newest value of a key lies.
func locationOf(ev *seen.Evidence, e *seen.Entry) report.Location {
	source := ev.SourceOf(e.File)
	return report.Location{Path: source.Path, Offset: source.Base + e.Off, Length: int64(e.Size), Page: ev.PageAt(e.File, e.Off),
		ModRevision: e.Rev.Main, WALIndex: uint64(e.Index)}
}

// sort puts all lists that came from maps in order.
func (j *Judge) sort() {
	r := j.result
	slices.SortFunc(r.Inventory, func(x, y report.ResourceCount) int {
		return cmp.Or(cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Resource, y.Resource))
	})
	slices.SortFunc(r.Namespaces, func(x, y report.NamespaceCount) int {
		return cmp.Or(cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.LogicalCluster, y.LogicalCluster), cmp.Compare(x.Namespace, y.Namespace))
	})
	slices.SortFunc(r.Exposures, compareExposures)
	slices.SortStableFunc(r.Findings, compareFindings)
}

func compareExposures(x, y report.Exposure) int {
	if c := cmp.Or(cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name)); c != 0 {
		return c
	}
	if c := cmp.Compare(x.Key, y.Key); c != 0 {
		return c
	}
	return cmp.Compare(x.Copies[0].Path, y.Copies[0].Path)
}

// compareFindings compares first what tells most findings apart, because cmp.Or makes every
// comparison that it is given.
func compareFindings(x, y report.Finding) int {
	if c := cmp.Or(cmp.Compare(y.Severity, x.Severity), cmp.Compare(x.Rule, y.Rule)); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name)); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.Path(), y.Path()), cmp.Compare(x.Cluster, y.Cluster)); c != 0 {
		return c
	}
	return cmp.Compare(x.Message(), y.Message())
}
