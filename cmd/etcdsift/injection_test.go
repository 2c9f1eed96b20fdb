package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/reports"
)

// harmless runs a command, checks all that it prints, and returns it.
func harmless(t *testing.T, format string, args ...string) (status int, stdout []byte, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), args, &out, &errs)
	if out.Len() == 0 && errs.Len() == 0 {
		t.Errorf("%.200q prints nothing: the test looks at nothing", args)
	}
	if out.Len() > 0 {
		if err := checkHarmless(format, out.Bytes()); err != nil {
			t.Errorf("%.200q: %v", args, err)
		}
	}
	if err := checkHarmless("text", errs.Bytes()); err != nil {
		t.Errorf("%.200q, standard error: %v", args, err)
	}
	for line := range strings.Lines(errs.String()) {
		if !strings.HasPrefix(line, "etcdsift: ") {
			t.Errorf("%.200q, standard error: not our line: %.200q", args, line)
		}
	}
	return status, out.Bytes(), errs.String()
}

// everyCommand runs all commands that are about the whole of evidence, in every format
// that there is, and returns their outputs by command and format.
func everyCommand(t *testing.T, more ...string) map[string][]byte {
	t.Helper()
	outputs := map[string][]byte{}
	for _, c := range []struct {
		name    string
		formats []string
	}{{"scan", reports.ScanFormats.Names()}, {"list", reports.ListFormats.Names()}, {"keys", reports.KeysFormats.Names()}, {"info", reports.InfoFormats.Names()}} {
		for _, format := range c.formats {
			if c.name == "info" {
				more = slices.DeleteFunc(slices.Clone(more), func(arg string) bool { return strings.HasPrefix(arg, "--encryption-config") })
			}
			_, outputs[c.name+" "+format], _ = harmless(t, format, append([]string{c.name, "--format", format}, more...)...)
		}
	}
	return outputs
}

// shortest are the hostile texts that are no longer than a page, and longest the others.
func shortest() (short, long []string) {
	for _, text := range fixtures.HostileTexts() {
		if len(text) <= 4096 {
			short = append(short, text)
		} else {
			long = append(long, text)
		}
	}
	return short, long
}

func buildHostile(t *testing.T, texts []string) (string, fixtures.Hostile) {
	t.Helper()
	db := filepath.Join(t.TempDir(), "hostile.db")
	h, err := fixtures.BuildHostile(db, texts)
	if err != nil {
		t.Fatal(err)
	}
	return db, h
}

// Whatever the texts in a db are, every format of every command passes them on
// harmlessly; the machine-readable ones to the byte, and the tables with one row each.
func TestInjection(t *testing.T) {
	t.Parallel()
	db, h := buildHostile(t, fixtures.HostileTexts())
	outputs := everyCommand(t, db)
	keys := slices.Sorted(slices.Values(h.Keys))
	values := decodeLines(t, outputs["list jsonl"])
	if diff := cmp.Diff(keys, slices.Sorted(slices.Values(unspelled(values, "key")))); diff != "" {
		t.Errorf("keys of list --format jsonl (-want +got):\n%.2000s", diff)
	}
	if got := rowsUnder(outputs["list table"], `PROVIDER `); got != len(keys) {
		t.Errorf("list has %d rows of %d values", got, len(keys))
	}
	var report struct {
		Exposures, Namespaces []map[string]any
	}
	if err := json.Unmarshal(outputs["scan json"], &report); err != nil {
		t.Fatal(err)
	}
	if got := rowsUnder(outputs["scan table"], `NAMESPACE +NAME `); got != len(report.Exposures) || got < len(h.Secrets) {
		t.Errorf("scan has %d rows of %d exposures, of %d Secrets", got, len(report.Exposures), len(h.Secrets))
	}
	if got := rowsUnder(outputs["scan table"], `NAMESPACE +PLAINTEXT `); got != len(report.Namespaces) {
		t.Errorf("scan has %d rows of %d namespaces", got, len(report.Namespaces))
	}
	typed := 0
	for _, x := range report.Exposures {
		if stored := h.Secrets[unspell(x["key"].(string))]; stored != nil && checkExposure(t, x, stored) {
			typed++
		}
	}
	if typed < len(h.Secrets)/2 {
		t.Errorf("the types of %d Secrets of %d are told", typed, len(h.Secrets))
	}
	checkInfo(t, outputs["info json"])
}

// checkExposure compares what a report says of a Secret with what was stored, and whether
// it tells its type: one that no type can be is left out, and so are such names of data.
func checkExposure(t *testing.T, x map[string]any, stored *corev1.Secret) bool {
	t.Helper()
	got := unspell(x["type"].(string))
	if got != string(stored.Type) && got != "" {
		t.Errorf("type %.100q, want %.100q", got, stored.Type)
	}
	names := x["dataKeys"].([]any)
	for _, name := range names {
		if _, ok := stored.Data[unspell(name.(string))]; !ok {
			t.Errorf("a name of data, %.100q, that is none", name)
		}
	}
	if !slices.Contains(names, any("password")) {
		t.Errorf("names of data %.100q, of a Secret with a password", names)
	}
	return got != ""
}

func checkInfo(t *testing.T, out []byte) {
	t.Helper()
	var info struct {
		Evidence []struct {
			Etcd struct {
				Users   []string
				Members []struct{ Name string }
			}
			Buckets []struct{ Name string }
		}
	}
	if err := json.Unmarshal(out, &info); err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(fixtures.HostileTexts(), func(text string) bool { return text == "" || len(text) > 16<<10 }) // bbolt
	const maxPath = 1000                                                                                                   // names of buckets are cut
	var buckets []string
	for _, b := range info.Evidence[0].Buckets {
		buckets = append(buckets, unspell(b.Name))
	}
	users := info.Evidence[0].Etcd.Users
	for i := range users {
		users[i] = unspell(users[i])
	}
	for _, text := range want {
		if !slices.Contains(users, text) || len(text) < maxPath && !slices.Contains(buckets, "bucket "+text) {
			t.Errorf("info does not name the user or the bucket %.100q", text)
		}
	}
	if len(info.Evidence[0].Etcd.Members) != len(want) {
		t.Errorf("%d members of %d", len(info.Evidence[0].Etcd.Members), len(want))
	}
}

// The commands on one key, with keys that hold every text; and what show prints is read as
// the Secret that was stored.
func TestInjectionOfOneKey(t *testing.T) {
	t.Parallel()
	short, long := shortest()
	whole, part := injectKeys(t, short, func(i int, key string) bool { return i%19 == 0 || strings.HasPrefix(key, "/registry/secrets/ns-") })
	if whole < 10 || part < len(short)/2 {
		t.Errorf("%d Secrets were shown whole, %d in part, of %d texts", whole, part, len(short))
	}
	if whole, part := injectKeys(t, long, func(i int, _ string) bool { return i%2 == 0 }); whole+part == 0 {
		t.Error("no Secret with long names was shown")
	}
}

// injectKeys runs the commands on those keys that are wanted, and says how many Secrets
// show showed.
func injectKeys(t *testing.T, texts []string, wanted func(i int, key string) bool) (whole, part int) {
	t.Helper()
	db, h := buildHostile(t, texts)
	for i, key := range h.Keys {
		if !wanted(i, key) || strings.TrimSpace(key) == "" {
			continue
		}
		format := reports.HistoryFormats.Names()[i%len(reports.HistoryFormats.Names())]
		harmless(t, format, "history", "--format", format, db, key)
		harmless(t, "yaml", "show", db, key)
		status, out, said := harmless(t, "yaml", "show", "--reveal", db, key)
		stored := h.Secrets[key]
		switch isPart := strings.Contains(said, "damaged or cut: what could be read of it"); {
		case status != 0 || stored == nil:
		case isPart: // a name that can not be one is left out
			checkShown(t, out, stored, true)
			part++
		default:
			checkShown(t, out, stored, false)
			whole++
		}
	}
	for i, text := range texts {
		command := []string{"history", "show"}[i%2]
		harmless(t, []string{"table", "yaml"}[i%2], command, db, "/registry/secrets/none/"+text)
		harmless(t, "table", "keys", "--retire", "aescbc:"+text, db)
	}
	return whole, part
}

// checkShown compares what kubectl would read with what was stored, or with a part of it.
func checkShown(t *testing.T, out []byte, stored *corev1.Secret, part bool) {
	t.Helper()
	var got corev1.Secret
	if err := yaml.UnmarshalStrict(out, &got); err != nil {
		t.Error(err)
		return
	}
	want := stored.DeepCopy()
	want.TypeMeta, want.ResourceVersion = metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}, got.ResourceVersion
	if part {
		want.ObjectMeta = got.ObjectMeta // what of it is shown is for the tests of Manifest
		if got.Type == "" {
			want.Type = ""
		}
		for name := range want.Data {
			if _, ok := got.Data[name]; !ok {
				delete(want.Data, name)
			}
		}
	}
	if diff := cmp.Diff(want, &got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got): %.1000s", diff)
	}
}

// The same texts in the WAL, beside files and in dirs whose names hold them.
func TestInjectionOfFiles(t *testing.T) {
	scenario, err := fixtures.Lookup("odd-keys")
	if err != nil {
		t.Fatal(err)
	}
	e, err := scenario.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	db, err := os.ReadFile(e.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, text := range fixtures.HostileTexts() {
		name := "n" + strings.ReplaceAll(text, "/", "_")
		if len(name) > 200 || os.WriteFile(filepath.Join(e.DataDir, "member", name), db[:8192], 0o600) != nil ||
			os.Symlink(e.DataDir, name) != nil {
			continue // this system has no such names
		}
		named++
		cut := text + ".db"
		if strings.Contains(text, "/") || os.WriteFile(cut, db[:len(db)/2], 0o600) != nil {
			continue
		}
		for _, args := range [][]string{{"scan", "--", cut}, {"list", "--", cut}, {"info", "--", cut}, {"scan", "--", cut, "missing" + text},
			{"scan", "-o", filepath.Join("missing"+text, "x"), "--", cut}, {"scan", "--encryption-config", "missing" + text, "--", cut},
			{"show", "--", cut, text}, {text, "x"}, {"scan", "--" + text}, {"scan", "--format", text, "x"}, {"scan", "--resources", text, "x"}} {
			harmless(t, "table", args...)
		}
	}
	if named == 0 {
		t.Skip("no such names on this system")
	}
	everyCommand(t, e.DataDir)
	first, err := filepath.Glob("n*")
	if err != nil || len(first) == 0 {
		t.Fatal(first, err)
	}
	everyCommand(t, append([]string{"--"}, first[:min(8, len(first))]...)...)
}

// The same texts as names in a configuration, whether it is refused or not.
func TestInjectionOfConfigurations(t *testing.T) {
	t.Parallel()
	short, _ := shortest()
	db, _ := buildHostile(t, short)
	scenario, err := fixtures.Lookup("odd-names")
	if err != nil {
		t.Fatal(err)
	}
	e, err := scenario.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte(e.Answer.Config), 0o600); err != nil {
		t.Fatal(err)
	}
	everyCommand(t, "--encryption-config="+config, e.Snapshot)
	everyCommand(t, "--encryption-config="+config, db)
	const secret = `"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="`
	for _, text := range fixtures.HostileTexts() {
		text = text[:min(len(text), 16<<10)]
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{
			`{"resources":["secrets"],"providers":[{"aescbc":{"keys":[{"name":%s,"secret":` + secret + `}]}},{"identity":{}}]}`,
			`{"resources":[%s],"providers":[{"aescbc":{"keys":[{"name":"k","secret":` + secret + `}]}}]}`,
			`{"resources":["secrets"],"providers":[{"kms":{"apiVersion":"v2","name":%s,"endpoint":"unix:///x"}}]}`,
			`{"resources":["secrets"],"providers":[{"kms":{"apiVersion":"v2","name":"a","endpoint":%s}}]}`,
			`{"resources":["secrets"],"providers":[{%s:{}}]}`,
			`{"resources":["secrets"],"providers":[{"aescbc":{"keys":[{"name":"k","secret":%s}]}}]}`,
		} {
			doc := fmt.Sprintf(`{"apiVersion":"apiserver.config.k8s.io/v1","kind":"EncryptionConfiguration","resources":[`+form+`]}`, quoted)
			if err := os.WriteFile(config, []byte(doc), 0o600); err != nil {
				t.Fatal(err)
			}
			harmless(t, "table", "keys", "--encryption-config", config, e.Snapshot)
		}
	}
}

// decodeLines decodes a document a line.
func decodeLines(t *testing.T, out []byte) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range bytes.Lines(out) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func unspelled(values []map[string]any, field string) []string {
	var all []string
	for _, v := range values {
		all = append(all, unspell(v[field].(string)))
	}
	return all
}

var spelled = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// unspell makes bytes of what stands for those that JSON has no place for.
func unspell(s string) string {
	return spelled.ReplaceAllStringFunc(s, func(x string) string {
		n, _ := strconv.ParseUint(x[2:], 16, 8) // it is two digits
		return string([]byte{byte(n)})
	})
}

// rowsUnder counts the rows of the first table whose header matches. What is left of a cell
// in further lines starts with a space.
func rowsUnder(out []byte, header string) int {
	rows, is := -1, regexp.MustCompile("^"+header)
	for line := range strings.Lines(string(out)) {
		switch {
		case rows < 0 && is.MatchString(line):
			rows = 0
		case rows >= 0 && line == "\n":
			return rows
		case rows >= 0 && line[0] != ' ':
			rows++
		}
	}
	return rows
}
