package analyzer

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdserver/api/snap"
	etcd "go.etcd.io/etcd/server/v3/etcdserver/api/v2store"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// v2Secret is a Secret in protobuf, with a datum whose bytes are no UTF-8.
const v2Secret = "k8s\x00\n\x0c\n\x02v1\x12\x06Secret\x12\x1f\n\x08\n\x01x\x1a\x00\"\x01d\x12\x08\n\x01p\x12\x03\xff\xfea\x1a\x06Opaque\x1a\x00\"\x00"

// Values in the v2 store are Secrets in whatever form they were stored, and one that lost bytes is
// not complete.
func TestV2Store(t *testing.T) {
	s := etcd.New("/0", "/1")
	for name, value := range map[string]string{
		"json":   `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"json","namespace":"a"},"data":{"p":"cGxhaW4="}}` + "\n",
		"base64": base64.StdEncoding.EncodeToString([]byte(v2Secret)),
		"lossy":  v2Secret,
		"sealed": "k8s:enc:aescbc:v1:key1:0123456789abcdef0123456789abcdef",
	} {
		if _, err := s.Set("/1/registry/secrets/a/"+name, false, value, etcd.TTLOptionSet{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Set("/0/version", false, "2.3.0", etcd.TTLOptionSet{}); err != nil {
		t.Fatal(err)
	}
	data, err := s.Save()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	err = snap.New(zap.NewNop(), dir).SaveSnap(&raftpb.Snapshot{Data: data,
		Metadata: &raftpb.SnapshotMetadata{ConfState: &raftpb.ConfState{}, Index: proto.Uint64(9), Term: proto.Uint64(2)}})
	if err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.snap"))
	file, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	r := readPaths(t, names...)
	if len(r.Coverage.Damage) > 0 || r.Coverage.BytesRead != int64(len(file)) {
		t.Errorf("%d bytes read of %d, damage %+v", r.Coverage.BytesRead, len(file), r.Coverage.Damage)
	}
	want := map[report.Text]bool{"json": true, "base64": true, "lossy": false} // whether they are complete
	for _, x := range r.Exposures {
		complete, ok := want[x.Name]
		if !ok || x.Key != "/registry/secrets/a/"+x.Name || x.State != report.StateUnknown || len(x.Copies) != 2 {
			t.Errorf("%+v", x)
			continue
		}
		for _, c := range x.Copies { // in the node and in its event
			if c.Complete != complete || !c.Escaped || c.Region != report.RegionFragment || file[c.Offset-1] != '"' || file[c.Offset+c.Length] != '"' {
				t.Errorf("%s: %+v", x.Name, c)
			}
		}
		delete(want, x.Name)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}
