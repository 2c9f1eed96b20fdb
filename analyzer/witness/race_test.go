//go:build race

package witness

// raceDetector says that the tests run under the race detector, whose runtime dies of a tight
// limit on addresses before what runs in it does.
const raceDetector = true
