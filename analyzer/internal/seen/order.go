package seen

// CompareBool orders false before true, as cmp.Compare does for what has an order.
func CompareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
