// Go's side of the comparison: a goroutine with one buffered channel as its mailbox.
// Usage: go_peer GROUP THREADS; prints `row <TAB> value <TAB> unit` for each row of the group; exit status 3: no such group here.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"syscall"
	"time"
)

var groups = map[string]func(){}

func main() {
	threads, _ := strconv.Atoi(os.Args[2])
	runtime.GOMAXPROCS(threads)
	body, known := groups[os.Args[1]]
	if !known {
		os.Exit(3)
	}
	body()
}

// scaled is the published size, times WEFT_BENCH_SCALE.
func scaled(n int) int {
	scale, err := strconv.ParseFloat(os.Getenv("WEFT_BENCH_SCALE"), 64)
	if err != nil {
		return n
	}
	if scaled := int(float64(n)*scale + 0.5); scaled > 0 {
		return scaled
	}
	return 1
}

// warm gives the second of two measurements: the first has grown the heap.
func warm(body func() []float64) []float64 {
	body()
	runtime.GC()
	return body()
}

func rows(unit string, names []string, values []float64) {
	for i, name := range names {
		fmt.Printf("%s\t%.8g\t%s\n", name, values[i], unit)
	}
}

func measure(row, unit string, body func() float64) {
	rows(unit, []string{row}, warm(func() []float64 { return []float64{body()} }))
}

func perItem(t0 time.Time, n int) float64 { return float64(time.Since(t0).Nanoseconds()) / float64(n) }
func millions(t0 time.Time, n int) float64 {
	return float64(n) * 1000 / float64(time.Since(t0).Nanoseconds())
}

func quantile(v []float64, q float64) float64 {
	sort.Float64s(v)
	i := int(q * float64(len(v)))
	if i >= len(v) {
		i = len(v) - 1
	}
	return v[i]
}

func residentBytes() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	var all, resident int
	fmt.Sscan(string(text), &all, &resident)
	return float64(resident) * 4096
}

func cpuNs() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Nano() + r.Stime.Nano())
}
