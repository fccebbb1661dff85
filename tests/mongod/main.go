// mongod: the MongoDB-protocol server of the tests, FerretDB over SQLite in one process.
//
// It prints "ready mongodb://HOST:PORT/" once it accepts connections, serves what lies in --dir, and ends on
// SIGTERM, SIGINT, or when the process that started it is gone. The same --addr and --dir may be used again at once.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

const (
	parentPoll = 200 * time.Millisecond
	drainMax   = 300 * time.Millisecond // idle clients would hold FerretDB for 3 s; SQLite needs no goodbye
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "listen here; port 0: any free one")
	dir := flag.String("dir", "", "keep the databases here; it is made if it does not exist")
	verbose := flag.Bool("verbose", false, "log each connection to stderr")
	flag.Parse()

	if err := run(*addr, *dir, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "mongod:", err)
		os.Exit(1)
	}
}

func run(addr, dir string, verbose bool) error {
	parent := os.Getppid()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	inner := filepath.Join(dir, "ferretdb.sock")
	db, err := open(inner, dir, verbose)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- db.Run(ctx) }()
	go (&relay{target: inner}).serve(ctx, listener)
	fmt.Printf("ready mongodb://%s/\n", listener.Addr())

	go stopWithParent(parent, stop)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(drainMax):
		return nil
	}
}

func open(socket, dir string, verbose bool) (*ferretdb.FerretDB, error) {
	if dir == "" {
		return nil, fmt.Errorf("--dir is missing")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	level := slog.LevelError
	if verbose {
		level = slog.LevelInfo
	}
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return nil, err // what a killed one left
	}
	return ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{Unix: socket},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + dir + "/?_pragma=synchronous(off)", // a killed process loses nothing; power loss is no test of ours
	})
}

// Asked for by polling: a death signal would come when the parent's thread ends, which a test runner's may do early.
func stopWithParent(parent int, stop func()) {
	for os.Getppid() == parent {
		time.Sleep(parentPoll)
	}
	stop()
}
