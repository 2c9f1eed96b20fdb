package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile is what a key or name of the evidence may hold.
const hostile = "a\x1b[31m\nb\t\u202e::error::##[x]<script>=cmd()\\\xff\u009b"

// history has a copy of every sort.
func history() *report.History {
	at := func(region report.Region, revision int64) report.Copy {
		return report.Copy{Path: "member/snap/db", Region: region, Offset: 0x25068, Length: 350, Page: report.PageOf(37), ModRevision: revision, Complete: true}
	}
	inLog := report.Copy{Path: "member/wal/0.wal", Region: report.RegionWAL, Offset: 0x3d2c3, Length: 293, WALIndex: 245, Complete: true}
	cut := at(report.RegionFragment, 410)
	cut.Complete = false
	return &report.History{
		Key: "/registry/secrets/payments/" + hostile, Resource: "secrets", Namespace: "payments", Name: hostile, State: report.StateLive,
		Copies: []report.Occurrence{
			{Copy: inLog, Provider: "identity", Encoding: "protobuf", WALTerm: 2, Applied: true},
			{Copy: inLog, Provider: "identity", Encoding: "protobuf", WALTerm: 2, Refused: true},
			{Copy: cut, Provider: "identity", Encoding: "protobuf"},
			{Copy: at(report.RegionFree, 410), Provider: "identity", Encoding: "protobuf", Reread: true},
			{Copy: at(report.RegionHistory, 420), Deletion: true},
			{Copy: at(report.RegionHistory, 430), Provider: "aescbc", KeyName: hostile, Proof: report.Failed},
			{Copy: at(report.RegionLive, 812), Provider: "kms-v2", KeyName: "vault", KMSKeyID: "kek-2026-01", Proof: report.Unproven},
		},
		Similar: []report.Text{},
	}
}

// keyUses has a key of every sort.
func keyUses() []report.KeyUse {
	return []report.KeyUse{
		{Provider: "aescbc", KeyName: "key1", Newest: 2, History: 17, Residue: 3, WAL: 88, FirstRevision: 407, LastRevision: 523,
			Resources: map[string]int{"secrets": 1, hostileJSON: 1}, Proof: report.Proven, Config: "reads",
			Namespaces: []report.NamespaceUse{{Resource: "secrets", Namespace: hostile, Newest: 1}, {Resource: "secrets", Namespace: "payments", History: 17}}},
		{Provider: "aesgcm", KeyName: hostile, WAL: 1, Resources: map[string]int{}, Proof: report.Failed, Config: "absent",
			Namespaces: []report.NamespaceUse{}},
		{Provider: "kms-v2", KeyName: "vault", KMSKeyID: "kek-2026-01", Newest: 1, Resources: map[string]int{"secrets": 1}, Proof: report.Unproven,
			Config: "writes", Namespaces: []report.NamespaceUse{}, DEKs: 1, DEKTypes: []report.Text{"hkdf-sha256-seed"}, Annotations: []report.Text{"kms.example.com"}},
		{Provider: "kms-v2", KeyName: "vault", KMSKeyID: "kek-2026-02", Newest: 1, Resources: map[string]int{"secrets": 1}, Proof: report.Unproven,
			Config: "writes", Namespaces: []report.NamespaceUse{}, DEKs: 2, DEKTypes: []report.Text{"aes-gcm-key"}},
	}
}

// retirements has an answer of every sort.
func retirements() []report.Retirement {
	return []report.Retirement{
		{Key: "aescbc:key1", Answer: report.RetireNeeded, Stragglers: []report.Text{"/registry/secrets/payments/db", hostile},
			History: 17, Residue: 3, WAL: 88, Seen: true, Opened: 1, NotOpened: 1},
		{Key: "aescbc:kye1", Answer: report.RetireUnseen, Stragglers: []report.Text{}, Complete: true, DidYouMean: "aescbc:key1"},
		{Key: "aesgcm:" + hostile, Answer: report.RetireSafe, Safe: true, Stragglers: []report.Text{}, Complete: true, Seen: true, Writes: true},
	}
}

// hostileJSON is hostile where it must be UTF-8.
var hostileJSON = report.Text(hostile).ValidUTF8()

// canned is a report with something of everything.
func canned() *report.Report {
	scope := []report.ScopeCount{{Resource: "secrets", Keys: 3, Counts: report.Counts{Plaintext: 2, Encrypted: 1}},
		{Resource: "vaults.lab.example.com", Keys: 1, Counts: report.Counts{Encrypted: 1}, Configured: true}}
	copies := 2
	return &report.Report{
		Examined: report.Examined{
			SchemaVersion: report.SchemaVersion,
			Tool:          report.Tool{Name: "etcdsift", Version: "v0.0.0"},
			Run: report.Run{Tool: report.Tool{Name: "etcdsift", Version: "v0.0.0", Commit: "0f0f"}, Paths: []report.Text{"snapshot.db", hostile},
				Scope: []report.Text{"secrets"}, Prefixes: []report.Text{"/registry", hostile}, NoWAL: true, FailOn: report.SeverityHigh,
				Configurations: []report.Configuration{{Path: "enc.yaml", SHA256: strings.Repeat("2d", 32)}}},
			Verdict: report.Verdict{Status: report.StatusPlaintext, ExitStatus: 4, LeftOut: report.AllLeftOut(),
				Reasons: []report.Reason{{Status: report.StatusPlaintext, Count: 2}, {Status: report.StatusIncomplete, Count: 3}, {Status: report.StatusFindings, Count: 1}}},
			Clusters: []report.Cluster{
				{ID: 1, Prefix: "/registry", Members: []string{"f48d"}, Evidence: []report.Text{"snapshot.db"}, Scope: scope,
					Counts:  report.Counts{Plaintext: 2, Encrypted: 2},
					Verdict: report.ClusterVerdict{Status: report.StatusPlaintext, Reasons: []report.Reason{{Status: report.StatusPlaintext, Count: 2}}}},
				{ID: 2, Prefix: hostile, Members: []string{}, Evidence: []report.Text{hostile}, Scope: []report.ScopeCount{},
					Verdict: report.ClusterVerdict{Status: report.StatusEmpty, Reasons: []report.Reason{{Status: report.StatusEmpty}}}},
			},
			Evidence: []report.Evidence{{
				Path: "snapshot.db", Kind: report.KindSnapshot, Size: 20512, SHA256: strings.Repeat("0f", 32),
				SnapshotHash: report.HashMismatch, PlaintextCopies: &copies,
				DBFacts: &report.DBFacts{PageSize: 4096, Pages: 5, FreePages: 1, TxID: 9, Revision: 812,
					CompactRevision: 400, ConsistentIndex: 900, StorageVersion: "3.7.0"},
				Changed: "its modification time is another", Live: true, Lock: "process 7 (etcd\x1b[2J) holds a write lock on it",
				Details: &report.Details{
					ByteOrder: "little-endian", LiveKeys: 4, Prefixes: []report.Text{"/registry"},
					Metas: []report.MetaDetails{
						{Page: 0, TxID: 8, Root: 3, HighWater: 5, Valid: true},
						{Page: 1, TxID: 9, Root: 4, HighWater: 5, Valid: true, Newest: true},
					},
					Buckets: []report.BucketDetails{{Pages: 1}, {Name: "key", Keys: 4, Pages: 2}},
					Etcd: report.Etcd{
						Term: 3, ClusterVersion: "3.7.0", AuthEnabled: true, Users: []report.Text{"root", hostile}, Roles: []report.Text{"root"},
						Members: []report.Member{{ID: "f48d", Name: "lab-0", PeerURLs: []report.Text{"http://127.0.0.1:2380"}, ClientURLs: []report.Text{}, IsLearner: true}},
						Alarms:  []report.Alarm{{Member: "f48d", Kind: "NOSPACE"}}, RemovedMembers: []string{"1"}, Leases: 2,
					},
				},
			}, {
				Path: "member/wal/0000000000000000-0000000000000000.wal", Kind: report.KindWAL, Size: 64000000, SHA256: strings.Repeat("1e", 32),
				SnapshotHash: report.HashAbsent,
				WAL:          &report.WALFacts{NodeID: "f48d", ClusterID: "b1fc", Entries: 911, FirstIndex: 1, LastIndex: 911, Commit: 910, Preallocated: 62000000, Gaps: 1},
			}},
			Coverage: report.Coverage{
				Bytes: 20512, BytesRead: 16416, Pages: 5, Records: 6,
				Damage:       []report.Damage{{Path: "snapshot.db", Offset: 0x3048, Page: report.PageOf(3), What: "page 3, leaf element 3, data: past the end of what holds it"}},
				DamageMore:   2,
				Unattributed: []report.Extent{},
				NotExamined:  []report.NotExamined{{What: "older revisions"}, {Path: "member/wal/0.wal", What: "WAL segment, not examined"}},
			},
		},
		Inventory: []report.ResourceCount{
			{Resource: "", Keys: 1, Providers: map[report.Provider]int{"identity": 1}},
			{Cluster: 1, Resource: "secrets", Keys: 3, Providers: map[report.Provider]int{"identity": 2, "aescbc": 1}},
		},
		Namespaces: []report.NamespaceCount{{Cluster: 1, Namespace: "payments", Counts: report.Counts{Plaintext: 1, Encrypted: 1}}, {Cluster: 1, Namespace: hostile, Counts: report.Counts{Plaintext: 1}}},
		Exposures: []report.Exposure{
			{
				Resource: "secrets", Namespace: "payments", Name: "db", Key: "/registry/secrets/payments/db", Cluster: 1,
				Status: report.StatusPlaintext, State: report.StateLive, Type: "kubernetes.io/service-account-token",
				DataKeys: []report.Text{"ca.crt", "namespace", "token"}, Current: report.Current{Provider: "identity", ModRevision: 410},
				Validity: &report.Validity{Status: report.Unchanged, DataKeys: []report.DatumUse{{Name: "ca.crt", Status: report.Gone},
					{Name: "namespace", Status: report.Changed}, {Name: "token", Status: report.Unchanged}}},
				Copies: []*report.Copy{{Path: "snapshot.db", Region: report.RegionLive, Offset: 8192, Length: 300, Page: report.PageOf(37),
					ModRevision: 410, CreateRevision: 402, Version: 2, Complete: true}},
				AlsoIn: []report.Text{"/registry/configmaps/payments/copy", hostile},
			},
			{
				Resource: "secrets", Namespace: hostile, Name: hostile, Key: hostile, Cluster: 1, LogicalCluster: hostile, Status: report.StatusPlaintext, State: report.StateLive,
				Type: hostile, DataKeys: []report.Text{hostile}, Current: report.Current{Provider: "identity", KeyName: hostile, ModRevision: 7},
				Copies: []*report.Copy{{Path: "snapshot.db", Region: report.RegionLive, ModRevision: 7, CreateRevision: 7, Version: 1}},
			},
		},
		Findings: []report.Finding{
			{Rule: report.RulePlaintextLive, Severity: report.SeverityCritical, Resource: "secrets", Namespace: "payments", Name: "db", Cluster: 1,
				At: []report.Location{{Path: "snapshot.db", Offset: 8192, Length: 300, Page: report.PageOf(37), ModRevision: 410}}},
			{Rule: report.RuleSnapshotHash, Severity: report.SeverityHigh, At: []report.Location{{Path: "snapshot.db", Offset: 20480, Length: 32}}},
			{Rule: report.RuleWeakProvider, Severity: report.SeverityLow, At: []report.Location{}, Detail: "2 newest values are encrypted with aescbc:key1: not recommended"},
			{Rule: report.RuleUnknownEnvelope, Severity: report.SeverityMedium, Resource: "secrets", Key: hostile,
				At: []report.Location{{Path: "snapshot.db", Offset: 9000, Length: 40, WALIndex: 12, Key: hostile}}, AtMore: 3, Superseded: true, Detail: hostile},
		},
		Scope: scope,
	}
}

func cannedValues() []report.Value {
	return []report.Value{
		{Key: "/registry/secrets/payments/db", Resource: "secrets", Namespace: "payments", Name: "db", Provider: "kms-v2", KeyName: "vault",
			KMSKeyID: "key/1", Proof: report.Unproven, Policy: "stale-key", Size: 300, CreateRevision: 402, ModRevision: 410, Version: 2},
		{Path: "old.db", Key: hostile, LogicalCluster: hostile, Provider: "identity", Encoding: "other", Size: 5, CreateRevision: 1, ModRevision: 1, Version: 1},
	}
}

// write is what a writer makes of an answer.
func write[A any](t *testing.T, f func(io.Writer, A) error, answer A) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, answer); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeList(t *testing.T, begin func(io.Writer) ValueFormat) []byte {
	t.Helper()
	var b bytes.Buffer
	f := begin(&b)
	for _, v := range cannedValues() {
		if err := f.Value(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// examined is canned without what only a scan knows.
func examined() *report.Examined {
	e := &canned().Examined
	e.Evidence[0].PlaintextCopies = nil
	return e
}

func cannedHistory() *report.HistoryReport {
	return &report.HistoryReport{Examined: *examined(), History: *history()}
}

func cannedKeys() *report.KeysReport {
	r := canned()
	return &report.KeysReport{Examined: *examined(), Keys: keyUses(), Retire: retirements(), Findings: r.Findings, Inventory: r.Inventory}
}

// outputs is each format's rendering of the canned answers, by its golden file.
func outputs(t *testing.T) map[string][]byte {
	out := map[string][]byte{}
	for _, f := range ScanFormats {
		out["scan."+f.Name+".golden"] = write(t, f.Write, canned())
	}
	for _, f := range InfoFormats {
		out["info."+f.Name+".golden"] = write(t, f.Write, examined())
	}
	for _, f := range HistoryFormats {
		out["history."+f.Name+".golden"] = write(t, f.Write, cannedHistory())
	}
	for _, f := range KeysFormats {
		out["keys."+f.Name+".golden"] = write(t, f.Write, cannedKeys())
	}
	for _, f := range ListFormats {
		out["list."+f.Name+".golden"] = writeList(t, f.Write)
	}
	return out
}

func TestGolden(t *testing.T) {
	for name, got := range outputs(t) {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got); rewrite it with -update if this is right:\n%s", name, diff)
		}
	}
}

// Nothing that a terminal could act on gets through any format, and no line of a
// table is wider than a terminal, but for the keys that list shows and the verdict.
func TestHarmless(t *testing.T) {
	for name, got := range outputs(t) {
		if !utf8.Valid(got) {
			t.Errorf("%s: not UTF-8", name)
		}
		for _, r := range string(got) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%s: holds the control character %U", name, r)
			}
		}
		if bytes.Contains(got, []byte("##")) {
			t.Errorf("%s: holds two number signs, which begin a command for CI", name)
		}
		if !strings.Contains(name, "table") {
			continue
		}
		for _, line := range strings.Split(string(got), "\n") {
			if n := displayWidth(line); n > tableWidth && !strings.HasPrefix(name, "list") && !strings.HasPrefix(name, "history") && !strings.HasPrefix(line, "Verdict: ") {
				t.Errorf("%s: a line of %d characters: %s", name, n, line)
			}
			if strings.HasSuffix(line, " ") {
				t.Errorf("%s: a space at the end of %q", name, line)
			}
		}
	}
}

func schema(t *testing.T, def string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json" + def)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchema(t *testing.T) {
	out := outputs(t)
	docs := map[string][]byte{
		"": out["scan.json.golden"], "#/$defs/info": out["info.json.golden"], "#/$defs/history": out["history.json.golden"],
		"#/$defs/keys": out["keys.json.golden"],
	}
	for def, doc := range docs {
		validate(t, schema(t, def), doc)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(out["list.jsonl.golden"]), []byte("\n")) {
		validate(t, schema(t, "#/$defs/value"), line)
	}
	// The schema must be able to fail: a field that it does not know is an error.
	if err := schema(t, "").Validate(map[string]any{"surprise": true}); err == nil {
		t.Error("the schema accepts anything")
	}
}

func validate(t *testing.T, s *jsonschema.Schema, doc []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%v", err)
	}
}

// An empty report has no null in its JSON, only empty lists.
func TestJSONHasNoNull(t *testing.T) {
	for name, got := range outputs(t) {
		if strings.Contains(name, "json") && bytes.Contains(got, []byte(": null")) {
			t.Errorf("%s holds a null", name)
		}
	}
}

// Texts that differ stay different in JSON, whatever bytes they hold.
func TestJSONKeepsTextsApart(t *testing.T) {
	seen := map[string]report.Text{}
	for _, key := range []report.Text{"a\xff", "a\xfe", `a\xff`, `a\x5cxff`, `a\\xff`, "a\\", "a", "\x1b"} {
		b, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%q and %q are both %s", other, key, b)
		}
		seen[string(b)] = key
	}
}

type brokenWriter struct{ left int }

var errBroken = errors.New("disk full")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

// Every format reports that it could not be written, wherever that happens.
func TestWriteErrors(t *testing.T) {
	type writer func(io.Writer) error
	formats := map[string]writer{}
	for _, f := range ScanFormats {
		formats["scan "+f.Name] = func(w io.Writer) error { return f.Write(w, canned()) }
	}
	for _, f := range InfoFormats {
		formats["info "+f.Name] = func(w io.Writer) error { return f.Write(w, &canned().Examined) }
	}
	for _, f := range HistoryFormats {
		formats["history "+f.Name] = func(w io.Writer) error { return f.Write(w, cannedHistory()) }
	}
	for _, f := range KeysFormats {
		formats["keys "+f.Name] = func(w io.Writer) error { return f.Write(w, cannedKeys()) }
	}
	for name, write := range formats {
		for _, room := range []int{0, 100, 1000} {
			if err := write(&brokenWriter{room}); !errors.Is(err, errBroken) {
				t.Errorf("%s with room for %d bytes: %v", name, room, err)
			}
		}
	}
	for _, format := range ListFormats {
		f := format.Write(&brokenWriter{20})
		err := f.Value(cannedValues()[0])
		if err == nil {
			err = f.Close()
		}
		if !errors.Is(err, errBroken) {
			t.Errorf("list %s: %v", format.Name, err)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	_, scan := ScanFormats.ByName("xml")
	_, info := InfoFormats.ByName("jsonl")
	_, list := ListFormats.ByName("json")
	for i, err := range []error{scan, info, list} {
		if err == nil || !strings.Contains(err.Error(), "must be one of table, ") {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// The sentence that leads the table.
func TestAnswer(t *testing.T) {
	in := func(namespaces ...report.Text) *report.Report {
		r := &report.Report{}
		for _, n := range namespaces {
			r.Exposures = append(r.Exposures, report.Exposure{Resource: "secrets", Namespace: n})
		}
		return r
	}
	many := []report.Text{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	damaged, changed := in("a"), in()
	damaged.Coverage.Damage = []report.Damage{{}}
	changed.Evidence = []report.Evidence{{Changed: "touched"}}
	const lost = " Parts of this evidence are damaged or could not be read: there may be more."
	tests := []struct {
		r     *report.Report
		scope report.ScopeCount
		want  string
	}{
		{in(), report.ScopeCount{Resource: "secrets"}, "There are no Secrets in this evidence."},
		{in(), report.ScopeCount{Resource: "secrets", Keys: 3}, "No plaintext copy of any of the 3 Secrets was seen."},
		{in(), report.ScopeCount{Resource: "secrets", Keys: 3, Counts: report.Counts{Broken: 2}}, "No plaintext copy of any of the 3 Secrets was seen. 2 cannot be parsed."},
		{damaged, report.ScopeCount{Resource: "secrets"}, "No Secrets could be found in what could be read." + lost},
		{damaged, report.ScopeCount{Resource: "secrets", Keys: 2}, "No plaintext copy of any of the 2 Secrets was seen." + lost},
		{damaged, report.ScopeCount{Resource: "secrets", Keys: 2, Counts: report.Counts{Plaintext: 1}}, "1 of 2 Secrets is in plaintext, in 1 namespace: a." + lost},
		{changed, report.ScopeCount{Resource: "secrets", Keys: 2}, "No plaintext copy of any of the 2 Secrets was seen. This evidence changed while it was read: there may be more."},
		{in("a"), report.ScopeCount{Resource: "secrets", Keys: 1, Counts: report.Counts{Plaintext: 1}}, "1 of 1 Secret is in plaintext, in 1 namespace: a."},
		{in("b", "a", "b"), report.ScopeCount{Resource: "secrets", Keys: 9, Counts: report.Counts{Plaintext: 3, Broken: 1}}, "3 of 9 Secrets are in plaintext, in 2 namespaces: a and b. 1 cannot be parsed."},
		{in(""), report.ScopeCount{Resource: "secrets", Keys: 9, Counts: report.Counts{Plaintext: 1}}, "1 of 9 Secrets is in plaintext."},
		{in(many...), report.ScopeCount{Resource: "secrets", Keys: 10, Counts: report.Counts{Plaintext: 10}}, "10 of 10 Secrets are in plaintext, in 10 namespaces: a, b, c, d, e, f, g, h and 2 more."},
	}
	for _, tt := range tests {
		if got := scopeAnswer(tt.r, tt.scope); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestBytesSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 905248: "884.0 KiB", 1 << 30: "1.0 GiB", 1<<20 - 1: "1.0 MiB"} {
		if got := bytesSize(n); got != want {
			t.Errorf("%s = %s, want %s", fmt.Sprint(n), got, want)
		}
	}
}
