//go:build !race

package witness

const raceDetector = false
