// Package naming finds out which object each value belongs to.
//
// Learn reads from the values how this etcd names its objects: the prefixes of the keys, the
// groups of built-in resources, the scope of custom ones. Resolve finds the keys of objects
// that were found without one, and Attribute the values that pieces belong to, in whatever file
// they are. Settle gives copies the revisions that other copies tell, and finds out which
// residue is a record of the tree once more. They run in this order, Attribute for the evidence
// of all files at once.
package naming
