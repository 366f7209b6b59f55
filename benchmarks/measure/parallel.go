package measure

import (
	"runtime"
	"sync"
	"time"
)

// Speedup is how much faster a machine does the same work with more cores.
type Speedup struct {
	Cores  int
	Ratio  float64
	Rounds []float64
}

// Spread is the lowest and the highest speed-up of a round.
func (s *Speedup) Spread() (low, high float64) { return extremes(s.Rounds) }

// Scale measures the throughput of each subject with one goroutine on one core and with several, in turns. A subject is made for
// each goroutine, because most are not safe for concurrent use.
func (p Plan) Scale(cores int, subjects ...func(goroutine int) (Subject, error)) ([]Speedup, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	teams := make([][]*runner, len(subjects))
	for i, newSubject := range subjects {
		for goroutine := range cores {
			subject, err := newSubject(goroutine)
			if err != nil {
				return nil, err
			}
			r := &runner{Subject: subject}
			if err := r.calibrate(p.Turn); err != nil {
				return nil, err
			}
			r.n = max(r.n, 1)
			teams[i] = append(teams[i], r)
		}
	}
	speedups := make([]Speedup, len(subjects))
	for range p.Rounds {
		alone, together := make([]float64, len(subjects)), make([]float64, len(subjects))
		for range p.Turns {
			for i, team := range teams {
				one, err := throughput(team[:1])
				if err != nil {
					return nil, err
				}
				all, err := throughput(team)
				if err != nil {
					return nil, err
				}
				alone[i] += one
				together[i] += all
			}
		}
		for i := range speedups {
			speedups[i].Rounds = append(speedups[i].Rounds, together[i]/alone[i])
		}
	}
	for i := range speedups {
		speedups[i].Cores, speedups[i].Ratio = cores, Median(speedups[i].Rounds)
	}
	return speedups, nil
}

// throughput is operations per second of a team, each member on its own core. It is the clock on the wall that counts here.
func throughput(team []*runner) (float64, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(len(team)))
	n, faults := team[0].n, make([]error, len(team))
	var working sync.WaitGroup
	begin := time.Now()
	for i, r := range team {
		working.Go(func() { _, faults[i] = r.run(n) })
	}
	working.Wait()
	took := time.Since(begin)
	for _, err := range faults {
		if err != nil {
			return 0, err
		}
	}
	return float64(n*len(team)) / took.Seconds(), nil
}
