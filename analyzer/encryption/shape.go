package encryption

import (
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// A shape is the form that a field's value must have.
type shape struct {
	fields map[string]*shape // of a map
	list   *shape            // of the elements of a list
	scalar func(*yaml.Node) bool
}

// The shapes of an EncryptionConfiguration, from the single text to the whole.
var (
	textShape = &shape{scalar: isText}
	keyShape  = &shape{fields: map[string]*shape{"name": textShape, "secret": textShape}}
	keysShape = &shape{fields: map[string]*shape{"keys": {list: keyShape}}}
	kmsShape  = &shape{fields: map[string]*shape{"apiVersion": textShape, "name": textShape, "endpoint": textShape,
		"timeout": {scalar: isDuration}, "cachesize": {scalar: isInt32}}}
	providerShape = &shape{fields: map[string]*shape{"aescbc": keysShape, "aesgcm": keysShape, "secretbox": keysShape,
		"identity": {fields: map[string]*shape{}}, "kms": kmsShape}}
	entryShape = &shape{fields: map[string]*shape{"resources": {list: textShape}, "providers": {list: providerShape}}}
	topShape   = &shape{fields: map[string]*shape{"kind": textShape, "apiVersion": textShape, "resources": {list: entryShape}}}
)

func isText(n *yaml.Node) bool {
	switch n.Tag {
	case "!!str":
		// The API server reads YAML 1.1.
		return n.Style != 0 || !oldBool.MatchString(n.Value)
	case "!!timestamp", "!!binary":
		return true
	}
	return false
}

// oldBool is what YAML 1.1 takes for a boolean, and YAML 1.2 for a text.
var oldBool = regexp.MustCompile(`^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$`)

func isDuration(n *yaml.Node) bool {
	_, err := time.ParseDuration(n.Value)
	return err == nil && n.Tag == "!!str"
}

func isInt32(n *yaml.Node) bool {
	_, err := strconv.ParseInt(n.Value, 0, 32)
	return err == nil && n.Tag == "!!int"
}

// wrongType is the first value at or below node that is not of that shape. It looks at an
// alias's node once, because aliases of aliases stand for more than there is time for.
func wrongType(node *yaml.Node, s *shape, seen map[*yaml.Node]bool) *yaml.Node {
	at := node
	for node.Kind == yaml.AliasNode {
		node = node.Alias
		if seen[node] {
			return nil
		}
	}
	seen[node] = true
	if node.Tag == "!!null" {
		return nil
	}
	switch {
	case s.fields != nil && node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if below := s.fields[node.Content[i].Value]; below != nil {
				if found := wrongType(node.Content[i+1], below, seen); found != nil {
					return found
				}
			}
		}
		return nil
	case s.list != nil && node.Kind == yaml.SequenceNode:
		for _, item := range node.Content {
			if found := wrongType(item, s.list, seen); found != nil {
				return found
			}
		}
		return nil
	case s.scalar != nil && node.Kind == yaml.ScalarNode && s.scalar(node):
		return nil
	}
	return at
}
