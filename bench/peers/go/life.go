// Rows about goroutines: beginning and end, memory. There are no pids, links, monitors or names to compare.
package main

import (
	"runtime"
	"sync/atomic"
	"time"
)

func init() {
	groups["spawn_exit"] = func() { spawnExit("spawn_exit", 0) }
	groups["spawn_exit_yield64"] = func() { spawnExit("spawn_exit_yield64", 64) }
	groups["spawn_message_back"] = spawnReply
	groups["skynet"] = func() {
		leaves := 10
		for leaves*10 <= scaled(1000000) {
			leaves *= 10
		}
		measure("skynet", "ns/actor", func() float64 {
			c := make(chan int64)
			t0 := time.Now()
			go skynet(c, 0, int64(leaves))
			if <-c != int64(leaves)*int64(leaves-1)/2 {
				panic("wrong sum")
			}
			return perItem(t0, (leaves*10-1)/9)
		})
	}
	groups["mem_idle_100k"] = func() { memory("mem_idle_100k", scaled(100000)) }
	groups["mem_idle_1m"] = func() { memory("mem_idle_1m", scaled(1000000)) }
}

// Goroutines that only count down; the last one reports. With `every`, the spawner steps back after so many.
func spawnExit(row string, every int) {
	n := scaled(1000000)
	measure(row, "ns/process", func() float64 {
		left := int64(n)
		done := make(chan bool, 1)
		out := make(chan float64)
		go func() {
			t0 := time.Now()
			for i := 1; i <= n; i++ {
				go func() {
					if atomic.AddInt64(&left, -1) == 0 {
						done <- true
					}
				}()
				if every != 0 && i%every == 0 {
					runtime.Gosched()
				}
			}
			<-done
			out <- perItem(t0, n)
		}()
		return <-out
	})
}

func spawnReply() {
	n := scaled(500000)
	measure("spawn_message_back", "ns/process", func() float64 {
		out := make(chan float64)
		go func() {
			box := make(chan int64, 1)
			t0 := time.Now()
			for i := 0; i < n; i++ {
				go func(i int) { box <- int64(i) }(i)
				<-box
			}
			out <- perItem(t0, n)
		}()
		return <-out
	})
}

func skynet(parent chan<- int64, number, size int64) {
	if size == 1 {
		parent <- number
		return
	}
	box := make(chan int64, 10)
	sub := size / 10
	for i := int64(0); i < 10; i++ {
		go skynet(box, number+i*sub, sub)
	}
	var sum int64
	for i := 0; i < 10; i++ {
		sum += <-box
	}
	parent <- sum
}

func parked(n int) []chan int64 {
	boxes := make([]chan int64, n)
	for i := range boxes {
		box := make(chan int64, 1)
		boxes[i] = box
		go func() { <-box }()
	}
	return boxes
}

func memory(row string, n int) {
	before := residentBytes()
	boxes := parked(n)
	time.Sleep(300 * time.Millisecond)
	rows("bytes/process", []string{row}, []float64{(residentBytes() - before) / float64(n)})
	runtime.KeepAlive(boxes)
}
