// Rows about timers, waking and idleness.
package main

import (
	"math/rand"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func init() {
	groups["timers"] = timers
	groups["timer_pair"] = timerPair
	groups["sleeps"] = sleeps
	groups["idle_cpu"] = idleCPU
	groups["timer_wake"] = timerWake
	groups["ext_wake_gap2ms"] = func() { externalWake("ext_wake_gap2ms", 2000, atLeast(100, scaled(500))) }
	groups["ext_wake_gap100us"] = func() { externalWake("ext_wake_gap100us", 100, atLeast(1000, scaled(5000))) }
}

func atLeast(least, n int) int {
	if n < least {
		return least
	}
	return n
}

func later(i int) *time.Timer {
	return time.AfterFunc(60*time.Second+time.Duration(i&16383)*time.Millisecond, func() {})
}

func timers() {
	n := scaled(1000000)
	rows("ns/timer", []string{"timer_start_1m", "timer_cancel_1m"}, warm(func() []float64 {
		started := make([]*time.Timer, n)
		t0 := time.Now()
		for i := range started {
			started[i] = later(i)
		}
		start := perItem(t0, n)
		t1 := time.Now()
		for _, t := range started {
			t.Stop()
		}
		return []float64{start, perItem(t1, n)}
	}))
}

func timerPair() {
	n := scaled(1000000)
	measure("timer_start_cancel_pair", "ns/timer", func() float64 {
		t0 := time.Now()
		for i := 0; i < n; i++ {
			later(i).Stop()
		}
		return perItem(t0, n)
	})
}

func sleeps() {
	n := scaled(100000)
	late := make([]float64, n)
	var woken sync.WaitGroup
	woken.Add(n)
	base := time.Now().Add(500 * time.Millisecond) // all are asleep before the first is due
	for i := 0; i < n; i++ {
		due := base.Add(time.Duration(1+rand.Intn(1000)) * time.Millisecond)
		go func(i int) {
			time.Sleep(time.Until(due))
			late[i] = float64(time.Since(due).Nanoseconds()) / 1000
			woken.Done()
		}(i)
	}
	woken.Wait()
	rows("us", []string{"sleep100k_late_p50", "sleep100k_late_p99", "sleep100k_late_max"},
		[]float64{quantile(late, .5), quantile(late, .99), quantile(late, 1)})
}

func idleCPU() {
	boxes := parked(scaled(100000))
	time.Sleep(500 * time.Millisecond)
	c0, t0 := cpuNs(), time.Now()
	time.Sleep(3 * time.Second)
	rows("% CPU", []string{"idle_cpu_100k"}, []float64{(cpuNs() - c0) / float64(time.Since(t0).Nanoseconds()) * 100})
	runtime.KeepAlive(boxes)
}

func timerWake() {
	var late []float64
	for i := 0; i < atLeast(100, scaled(500)); i++ {
		t0 := time.Now()
		time.Sleep(time.Millisecond)
		late = append(late, float64(time.Since(t0).Nanoseconds()-1000000)/1000)
	}
	rows("us late", []string{"timer_wake_1ms_p50", "timer_wake_1ms_p99"}, []float64{quantile(late, .5), quantile(late, .99)})
}

// Go has no foreign thread without cgo: a goroutine locked to its thread sleeps in the kernel, stamps the clock and sends.
func externalWake(row string, gapUs int64, count int) {
	box := make(chan time.Time, 16)
	go func() {
		runtime.LockOSThread()
		gap := syscall.NsecToTimespec(gapUs * 1000)
		for i := 0; i < count; i++ {
			syscall.Nanosleep(&gap, nil)
			box <- time.Now()
		}
	}()
	late := make([]float64, 0, count)
	for i := 0; i < count; i++ {
		sent := <-box
		late = append(late, float64(time.Since(sent).Nanoseconds())/1000)
	}
	rows("us", []string{row + "_p50", row + "_p99"}, []float64{quantile(late, .5), quantile(late, .99)})
}
