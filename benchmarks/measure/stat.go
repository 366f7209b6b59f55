package measure

import (
	"math"
	"slices"
	"time"
)

// Median is the middle of figures, or the mean of the two in the middle. It does not change them.
func Median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Quantile is the least of the times that a share of all does not exceed.
func Quantile(times []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// Difference is the median of how much higher a is than b, round by round: what slowed a round down slowed both.
func Difference(a, b Cost) float64 {
	differences := make([]float64, len(a.Rounds))
	for i := range differences {
		differences[i] = a.Rounds[i] - b.Rounds[i]
	}
	return Median(differences)
}

func extremes(figures []float64) (low, high float64) {
	return slices.Min(figures), slices.Max(figures)
}
