package resource

import (
	"strings"
)

// FindPrefix guesses the --etcd-prefix that a key implies: what goes before the
// first path segments that are a resource of Kubernetes and have as many
// segments behind them as an object of its scope needs. It is for a key under
// no known prefix whose value looks like one of Kubernetes' own, such as
// "/k8s/lab-1/secrets/default/db", where it returns "/k8s/lab-1". The prefix
// may be "", which stands for the root of the key space.
//
// Custom resources give no hint, because their path is not known in advance. Nor do the
// resources of OpenShift: nobody can choose its prefix, and "users" or "images" might be
// anyone's.
func FindPrefix(key string) (prefix string, ok bool) {
	if !strings.HasPrefix(key, "/") {
		return "", false
	}
	for at := 0; at >= 0; at = nextSlash(key, at) {
		p := parsePath(key[at+1:])
		if p.known && !strings.HasSuffix(p.Group, ".openshift.io") && p.fits() {
			return key[:at], true
		}
		if key[at+1:] == "" || key[at+1] == '/' {
			return "", false // no API server writes an empty segment
		}
	}
	return "", false
}

// PrefixOf returns the first of the prefixes that a key lies under, "" for no such prefix.
func PrefixOf(key string, prefixes []string) string {
	for _, prefix := range prefixes {
		if strings.HasPrefix(key, prefix+"/") {
			return prefix
		}
	}
	return ""
}

// nextSlash returns the index of the first slash in s behind index at, or -1.
func nextSlash(s string, at int) int {
	i := strings.IndexByte(s[at+1:], '/')
	if i < 0 {
		return -1
	}
	return at + 1 + i
}

// fits tells whether what follows a known path is an object of its scope.
func (p path) fits() bool {
	namespace, name, ok := strings.Cut(p.rest, "/")
	if p.scope == cluster {
		return p.rest != "" && !ok
	}
	return namespace != "" && name != "" && !strings.Contains(name, "/")
}
