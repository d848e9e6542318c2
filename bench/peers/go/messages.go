// Rows about messages between goroutines.
package main

import (
	"sync"
	"time"
)

const mailbox = 1024 // capacity where throughput is measured

func init() {
	groups["ping_pong"] = pingPong
	groups["ping_pong_100_pairs"] = pairs
	groups["thread_ring_503"] = threadRing
	groups["fan_in_8to1"] = func() { fanIn("fan_in_8to1", 8, scaled(500000)) }
	groups["stream_1to1"] = func() { fanIn("stream_1to1", 1, scaled(4000000)) }
	groups["big_64"] = big
	groups["fork_join_60"] = forkJoin
}

func pair(n int, done chan<- bool) {
	a, b := make(chan int64, 1), make(chan int64, 1)
	go func() {
		for i := 0; i < n; i++ {
			a <- <-b
		}
	}()
	go func() {
		for i := 0; i < n; i++ {
			b <- int64(i)
			<-a
		}
		done <- true
	}()
}

func pingPong() {
	n := scaled(1000000)
	measure("ping_pong", "ns/roundtrip", func() float64 {
		done := make(chan bool)
		t0 := time.Now()
		pair(n, done)
		<-done
		return perItem(t0, n)
	})
}

func pairs() {
	count, n := 100, scaled(20000)
	measure("ping_pong_100_pairs", "ns/roundtrip", func() float64 {
		done := make(chan bool)
		t0 := time.Now()
		for i := 0; i < count; i++ {
			pair(n, done)
		}
		for i := 0; i < count; i++ {
			<-done
		}
		return perItem(t0, count*n)
	})
}

func threadRing() {
	hops, members := scaled(3000000), 503
	measure("thread_ring_503", "ns/hop", func() float64 {
		done := make(chan bool, members)
		boxes := make([]chan int64, members)
		for i := range boxes {
			boxes[i] = make(chan int64, 1)
		}
		for i := range boxes {
			in, out := boxes[i], boxes[(i+1)%members]
			go func() {
				for {
					k := <-in
					if k <= 0 {
						if k == 0 {
							done <- true
						}
						if k > int64(-members) {
							out <- k - 1
						}
						return
					}
					out <- k - 1
				}
			}()
		}
		t0 := time.Now()
		boxes[0] <- int64(hops)
		<-done
		return perItem(t0, hops)
	})
}

func fanIn(row string, senders, n int) {
	measure(row, "Mmsg/s", func() float64 {
		box := make(chan int64, mailbox)
		done := make(chan bool)
		go func() {
			for i := 0; i < senders*n; i++ {
				<-box
			}
			done <- true
		}()
		t0 := time.Now()
		for k := 0; k < senders; k++ {
			go func() {
				for i := 0; i < n; i++ {
					box <- int64(i)
				}
			}()
		}
		<-done
		return millions(t0, senders*n)
	})
}

type bigMessage struct {
	ping bool
	from int
}

// Each pings a random other and serves pings while it waits. A mailbox holds what all others may have under way to it.
func big() {
	actors, n := 64, scaled(20000)
	measure("big_64", "Mmsg/s", func() float64 {
		boxes := make([]chan bigMessage, actors)
		for i := range boxes {
			boxes[i] = make(chan bigMessage, 2*actors)
		}
		var pinged, served sync.WaitGroup
		pinged.Add(actors)
		served.Add(actors)
		t0 := time.Now()
		for id := 0; id < actors; id++ {
			go func(id int) {
				r := uint64(id+1)*0x9E3779B97F4A7C15 | 1
				box := boxes[id]
				for i := 0; i < n; i++ {
					r ^= r << 13
					r ^= r >> 7
					r ^= r << 17
					boxes[(id+1+int((r>>32)%63))&63] <- bigMessage{true, id}
					for {
						m := <-box
						if !m.ping {
							break
						}
						boxes[m.from] <- bigMessage{false, id}
					}
				}
				pinged.Done()
				for m := range box {
					if m.from < 0 {
						break
					}
					boxes[m.from] <- bigMessage{false, id}
				}
				served.Done()
			}(id)
		}
		pinged.Wait()
		rate := millions(t0, actors*n*2)
		for _, box := range boxes {
			box <- bigMessage{true, -1}
		}
		served.Wait()
		return rate
	})
}

func forkJoin() {
	actors, n := 60, scaled(100000)
	measure("fork_join_60", "Mmsg/s", func() float64 {
		var joined sync.WaitGroup
		joined.Add(actors)
		boxes := make([]chan int64, actors)
		for i := range boxes {
			box := make(chan int64, mailbox)
			boxes[i] = box
			go func() {
				for i := 0; i < n; i++ {
					<-box
				}
				joined.Done()
			}()
		}
		t0 := time.Now()
		for i := 0; i < n; i++ {
			for _, box := range boxes {
				box <- int64(i)
			}
		}
		joined.Wait()
		return millions(t0, actors*n)
	})
}
