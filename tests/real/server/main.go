// A Go server with something in every profile: load with labels, contended locks, blocked goroutines, allocations.
//
// It listens on a free port of 127.0.0.1, prints "listening 127.0.0.1:PORT", and ends when its stdin is closed.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

type record struct {
	name string
	data []byte
}

type store[K comparable, V any] struct {
	mu      sync.Mutex
	entries map[K]V
}

func (s *store[K, V]) put(key K, value V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[key] = value
	time.Sleep(50 * time.Microsecond)
}

var kept = store[string, *record]{entries: map[string]*record{}}

// digest burns processor time in small functions that are inlined.
func digest(data []byte) uint64 {
	sum := uint64(14695981039346656037)
	for _, b := range data {
		sum = mix(sum, b)
	}
	return sum
}

func mix(sum uint64, b byte) uint64 { return (sum ^ uint64(b)) * 1099511628211 }

func handle(tenant string, n int) {
	words := make([]string, 0, 64)
	for i := 0; i < 64; i++ {
		words = append(words, strconv.Itoa(i*n)+tenant)
	}
	sort.Strings(words)
	text := strings.Repeat(strings.Join(words, ","), 8)
	r := &record{name: tenant, data: []byte(text)}
	if digest(r.data)%7 == 0 {
		kept.put(tenant+strconv.Itoa(n%500), r)
	}
}

func load(tenant string) {
	labels := pprof.Labels("tenant", tenant, "path", "/api/v1/"+tenant)
	pprof.Do(context.Background(), labels, func(context.Context) {
		for n := 0; ; n++ {
			handle(tenant, n)
			time.Sleep(time.Millisecond)
		}
	})
}

func block(channel chan int, depth int) {
	if depth > 0 {
		block(channel, depth-1)
		return
	}
	channel <- 1
}

func pingPong() {
	a, b := make(chan int), make(chan int)
	go func() {
		for v := range a {
			time.Sleep(time.Millisecond)
			b <- v + 1
		}
	}()
	for v := 0; ; v = <-b {
		a <- v
	}
}

func main() {
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	runtime.MemProfileRate = 4096
	for _, tenant := range []string{"alpha", "beta", "gamma", "ünï code"} {
		go load(tenant)
	}
	channel := make(chan int)
	for i := 0; i < 20; i++ {
		go block(channel, i%5)
	}
	go pingPong()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go http.Serve(listener, nil)
	fmt.Println("listening", listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}
