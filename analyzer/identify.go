package analyzer

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// groupSamples is how many plaintext values of a resource are asked for their
// API group. One would do, unless it was written by an old API version.
const groupSamples = 5

// crdSegment is the part of a key that names a CustomResourceDefinition.
const crdSegment = "apiextensions.k8s.io/customresourcedefinitions"

// A prefixError says that no key lies under any --prefix.
type prefixError struct {
	given, found []string
}

func (e *prefixError) Error() string {
	text := fmt.Sprintf("no key lies under --prefix %s", strings.Join(e.given, ", "))
	if len(e.found) > 0 {
		text += "; keys lie under " + strings.Join(e.found, ", ")
	}
	return text
}

// identify learns how this etcd names its objects: which prefixes Kubernetes'
// keys have, the API groups of built-in resources from their plaintext values,
// and the scope of custom resources from their CRDs. Prefixes that are given are
// taken as they are; it is an error if a db with keys has none below them.
func (s *survey) identify(ctx context.Context, given []string) error {
	prefixes := given
	if given == nil {
		prefixes = s.findPrefixes()
	}
	for _, prefix := range prefixes {
		s.details.Prefixes = append(s.details.Prefixes, report.Text(cmp.Or(prefix, "/")))
	}
	s.names = object.NewRegistry(prefixes)
	samples := map[string]int{}
	inside := 0
	for _, e := range s.keys.entries.all() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		segment, ok := s.names.Segment(e.key)
		if ok {
			inside++
		}
		how := s.keys.stored[e.stored]
		if e.deleted || how.provider != envelope.Identity || !isObject(how.encoding) {
			continue
		}
		if segment == crdSegment {
			s.learnCRD(e)
		}
		if ok && samples[segment] < groupSamples {
			samples[segment]++
			s.learnGroup(segment, e)
		}
	}
	if given == nil && s.watch.secrets {
		s.findStrays()
	}
	if given != nil && inside == 0 && s.keys.entries.len() > 0 {
		return &prefixError{given, s.findPrefixes()}
	}
	return nil
}

// findStrays looks for Secrets whose keys name none: one under a prefix or a path
// that nobody knows must not go unseen.
func (s *survey) findStrays() {
	for _, at := range s.sightings.all() {
		if _, found := s.strays[at.key]; found || !at.object || !s.plaintext(at) {
			continue
		}
		segment, _ := s.names.Segment(at.key)
		if s.names.Knows(at.key) && !strings.HasSuffix(segment, "/secrets") {
			continue
		}
		value, err := s.readSighting(at)
		if err == nil && isSecret(value, at.off) {
			m, _ := object.ParseMeta(value, at.off) // a broken one leaves its name empty
			s.strays[at.key] = object.Identity{GroupResource: secrets, Namespace: m.Namespace, Name: m.Name}
		}
	}
}

// identity is which object a key stands for; the zero Identity for none.
func (s *survey) identity(key string) object.Identity {
	if id, ok := s.strays[key]; ok {
		return id
	}
	id, _ := s.names.Identify(key)
	return id
}

func isObject(e envelope.Encoding) bool {
	return e == envelope.Protobuf || e == envelope.JSON || e == envelope.CBOR
}

// learnCRD reads the scope of a custom resource. A definition that can not be
// read leaves the scope to the number of parts in a key.
func (s *survey) learnCRD(e *entry) {
	value, err := s.read(e)
	if err != nil {
		return
	}
	if crd, err := object.ParseCRD(value, e.off); err == nil {
		s.names.AddCRD(crd)
	}
}

func (s *survey) learnGroup(segment string, e *entry) {
	value, err := s.read(e)
	if err != nil {
		return
	}
	if t, err := object.ParseType(value, e.off); err == nil {
		s.names.LearnGroup(segment, t.APIVersion)
	}
}

// hasValues reports whether the survey is of what an etcd works with: what it left
// behind holds no newest values of its own.
func (s *survey) hasValues() bool { return s.What == "" && s.Kind != report.KindOther }

// values calls each for every live value in the order of the keys. config is nil without one.
func (s *survey) values(config *encryption.Config, each func(report.Value) error, withPath bool) error {
	for _, id := range s.keys.sorted() {
		e := s.keys.at(id)
		v := s.value(config, e)
		if withPath {
			v.Path = s.Path
		}
		if e.unknown {
			v.State = report.StateUnknown
		}
		if err := each(v); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) value(config *encryption.Config, e *entry) report.Value {
	id := s.identity(e.key)
	how := s.keys.stored[e.stored]
	proof, policy := s.judged(config, e, id)
	return report.Value{
		Proof:          proof,
		Policy:         policy,
		Key:            report.Text(e.key),
		Resource:       report.Text(id.GroupResource.String()),
		Namespace:      report.Text(id.Namespace),
		Name:           report.Text(id.Name),
		Provider:       how.reported(),
		KeyName:        report.Text(how.keyName),
		KMSKeyID:       report.Text(how.kmsKeyID),
		Encoding:       report.Encoding(how.encoding.String()),
		Size:           int(e.size),
		CreateRevision: e.create,
		ModRevision:    e.rev.Main,
		Version:        e.version,
	}
}
