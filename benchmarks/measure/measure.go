// Package measure says what an operation costs, as a multiple of one RSA verification, so that the figures hold on another
// machine, and on a noisy one.
//
// The unit and the subjects take turns of a few milliseconds, so that whatever slows the machine down hits both. Costs are
// processor time of the whole process on one processor: other programs do not count, and garbage collection does, in the turn
// that made the garbage.
package measure

import (
	"fmt"
	"math"
	"runtime"
	"syscall"
	"time"
)

// Subject is an operation to be measured.
type Subject struct {
	Name string
	// Do is the operation, the i-th since the subject was made. An error ends the measurement.
	Do func(i int) error
	// Before is called before n more operations and is not measured. Optional.
	Before func(n int) error
}

// Plan says how long to measure. The published figures are from [Full].
type Plan struct {
	Rounds int           // each gives one ratio, of which the median counts
	Turns  int           // how often unit and subject take turns in a round
	Turn   time.Duration // about how long a turn is
}

// Full takes a second for each subject, and another for the unit beside it.
var Full = Plan{Rounds: 10, Turns: 4, Turn: 25 * time.Millisecond}

// Cost is what an operation costs.
type Cost struct {
	Name   string
	Ratio  float64   // to the unit; the median of the rounds
	Rounds []float64 // the ratio of each round
	Time   time.Duration
	Unit   time.Duration
	Memory
}

// Spread is the lowest and the highest ratio of a round.
func (c *Cost) Spread() (low, high float64) { return extremes(c.Rounds) }

// Compare measures subjects side by side, in turns with the unit.
func (p Plan) Compare(unit Subject, subjects ...Subject) ([]Cost, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	u := &runner{Subject: unit}
	runners := make([]*runner, len(subjects))
	for i := range subjects {
		runners[i] = &runner{Subject: subjects[i]}
	}
	for _, r := range append(runners, u) {
		if err := r.calibrate(p.Turn); err != nil {
			return nil, err
		}
	}
	costs := make([]Cost, len(subjects))
	units, times := make([][]float64, len(subjects)), make([][]float64, len(subjects))
	for range p.Rounds {
		ownSums, unitSums := make([]float64, len(subjects)), make([]float64, len(subjects))
		for range p.Turns {
			before, err := u.turn()
			if err != nil {
				return nil, err
			}
			for i, r := range runners {
				own, err := r.turn()
				if err != nil {
					return nil, err
				}
				after, err := u.turn()
				if err != nil {
					return nil, err
				}
				ownSums[i] += own
				unitSums[i] += (before + after) / 2
				before = after
			}
		}
		for i := range costs {
			costs[i].Rounds = append(costs[i].Rounds, ownSums[i]/unitSums[i])
			times[i] = append(times[i], ownSums[i]/float64(p.Turns))
			units[i] = append(units[i], unitSums[i]/float64(p.Turns))
		}
	}
	for i, r := range runners {
		memory, err := r.memory()
		if err != nil {
			return nil, err
		}
		costs[i] = Cost{
			Name: subjects[i].Name, Ratio: Median(costs[i].Rounds), Rounds: costs[i].Rounds, Memory: memory,
			Time: time.Duration(Median(times[i])), Unit: time.Duration(Median(units[i])),
		}
	}
	return costs, nil
}

// runner is a subject that is being measured.
type runner struct {
	Subject
	done int // operations so far
	n    int // operations of a turn
}

// run does n operations.
func (r *runner) run(n int) (cpu time.Duration, err error) {
	if r.Before != nil {
		if err := r.Before(n); err != nil {
			return 0, fmt.Errorf("%s: before: %w", r.Name, err)
		}
	}
	begin := processorTime()
	for i := r.done; i < r.done+n; i++ {
		if err := r.Do(i); err != nil {
			return 0, fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	cpu = processorTime() - begin
	r.done += n
	return cpu, nil
}

// turn does as many operations as fit into a turn. It returns nanoseconds for each.
func (r *runner) turn() (float64, error) {
	cpu, err := r.run(r.n)
	return float64(cpu) / float64(r.n), err
}

// calibrate finds out how many operations fit into a turn. That warms caches up, too.
func (r *runner) calibrate(turn time.Duration) error {
	for r.n = 1; ; r.n *= 2 {
		cpu, err := r.run(r.n)
		if err != nil {
			return err
		}
		if cpu >= turn/2 {
			r.n = max(1, int(math.Round(float64(r.n)*float64(turn)/float64(cpu))))
			return nil
		}
	}
}

// processorTime is what this process has used, in all threads, in user and in kernel mode.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // not reached: the arguments are constant
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
