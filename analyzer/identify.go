package analyzer

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// groupSamples is how many plaintext values of a resource are asked for their
// API group. One would do, unless it was written by an old API version.
const groupSamples = 5

// crdKeys is what the keys of CustomResourceDefinitions hold behind the prefix.
const crdKeys = "/apiextensions.k8s.io/customresourcedefinitions/"

// identify learns how this etcd names its objects: which prefixes Kubernetes'
// keys have, the API groups of built-in resources from their plaintext values,
// and the scope of custom resources from their CRDs.
func (s *survey) identify(prefixes []string) {
	if prefixes == nil {
		prefixes = s.findPrefixes()
	}
	for _, prefix := range prefixes {
		s.details.Prefixes = append(s.details.Prefixes, Text(cmp.Or(prefix, "/")))
	}
	s.names = object.NewRegistry(prefixes)
	samples := map[string]int{}
	for i := range s.keys.entries {
		e := &s.keys.entries[i]
		if e.deleted || s.keys.stored[e.stored].provider != envelope.Identity {
			continue
		}
		if strings.Contains(e.key, crdKeys) {
			s.learnCRD(e)
		}
		segment, ok := s.names.Segment(e.key)
		if !ok || samples[segment] >= groupSamples || !isObject(s.keys.stored[e.stored].encoding) {
			continue
		}
		samples[segment]++
		s.learnGroup(segment, e)
	}
}

// findPrefixes is the prefixes that keys of this db have: of the usual ones those
// in use, and that of an API server with another --etcd-prefix. It shows where a
// value looks like Kubernetes' and its key names a built-in resource further down.
func (s *survey) findPrefixes() []string {
	seen := map[string]bool{}
	usual := make([]*object.Registry, len(object.DefaultPrefixes))
	for i, prefix := range object.DefaultPrefixes {
		usual[i] = object.NewRegistry([]string{prefix})
	}
next:
	for i := range s.keys.entries {
		e := &s.keys.entries[i]
		if e.deleted {
			continue
		}
		for i, registry := range usual {
			if _, ok := registry.Segment(e.key); ok {
				seen[object.DefaultPrefixes[i]] = true
				continue next
			}
		}
		how := s.keys.stored[e.stored]
		if how.provider == envelope.Identity && !isObject(how.encoding) {
			continue
		}
		if prefix, ok := object.FindPrefix(e.key); ok {
			seen[prefix] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func isObject(e envelope.Encoding) bool {
	return e == envelope.Protobuf || e == envelope.JSON || e == envelope.CBOR
}

// learnCRD reads the scope of a custom resource. A definition that can not be
// read leaves the scope to the number of parts in a key.
func (s *survey) learnCRD(e *entry) {
	value, err := s.read(e)
	if err != nil {
		s.addDamage(readError(e, err))
		return
	}
	if crd, err := object.ParseCRD(value, e.off); err == nil {
		s.names.AddCRD(crd)
	}
}

func (s *survey) learnGroup(segment string, e *entry) {
	value, err := s.read(e)
	if err != nil {
		s.addDamage(readError(e, err))
		return
	}
	if t, err := object.ParseType(value, e.off); err == nil {
		s.names.LearnGroup(segment, t.APIVersion)
	}
}

// values calls each for every live value in the order of the keys.
func (s *survey) values(each func(Value) error, withPath bool) error {
	for _, i := range s.keys.sorted() {
		e := &s.keys.entries[i]
		v := s.value(e)
		if withPath {
			v.Path = s.Path
		}
		if err := each(v); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) value(e *entry) Value {
	id, _ := s.names.Identify(e.key)
	how := s.keys.stored[e.stored]
	return Value{
		Key:            Text(e.key),
		Resource:       Text(id.GroupResource.String()),
		Namespace:      Text(id.Namespace),
		Name:           Text(id.Name),
		Provider:       how.provider.String(),
		KeyName:        Text(how.keyName),
		KMSKeyID:       Text(how.kmsKeyID),
		Encoding:       how.encoding.String(),
		Size:           e.size,
		CreateRevision: e.create,
		ModRevision:    e.rev.Main,
		Version:        e.version,
	}
}
