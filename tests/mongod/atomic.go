package main

// FerretDB over SQLite reads a document and writes it back in two steps, so two changes of one document at once can both
// win. MongoDB's are atomic, and the store relies on it. So clients speak to this relay, which lets one writing command
// through at a time; everything else passes as it comes.

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

const (
	headerSize = 16
	messageMax = 64 << 20
	opMsg      = 2013
	flagsSize  = 4
)

var writes = map[string]bool{
	"insert": true, "update": true, "delete": true, "findAndModify": true, "findandmodify": true, "createIndexes": true,
}

type relay struct {
	target string // FerretDB's own socket
	write  sync.Mutex
}

func (r *relay) serve(ctx context.Context, listener net.Listener) {
	go func() {
		<-ctx.Done()
		listener.Close()
	}()
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go r.pass(client)
	}
}

func (r *relay) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", r.target)
	if err != nil {
		return
	}
	defer server.Close()
	for r.exchange(client, server) == nil {
	}
}

// One request and its reply: drivers wait for the one before they send the next.
func (r *relay) exchange(client, server net.Conn) error {
	request, err := readMessage(client)
	if err != nil {
		return err
	}
	if writes[commandOf(request)] {
		r.write.Lock()
		defer r.write.Unlock()
	}
	if _, err := server.Write(request); err != nil {
		return err
	}
	reply, err := readMessage(server)
	if err != nil {
		return err
	}
	_, err = client.Write(reply)
	return err
}

func readMessage(from io.Reader) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(header)
	if size < headerSize || size > messageMax {
		return nil, errors.New("a message of an impossible size")
	}
	message := make([]byte, size)
	copy(message, header)
	_, err := io.ReadFull(from, message[headerSize:])
	return message, err
}

// The command is the first key of the document in the section of kind 0, which drivers put first.
func commandOf(message []byte) string {
	at := headerSize + flagsSize
	if binary.LittleEndian.Uint32(message[12:]) != opMsg || len(message) < at+1+4+2 || message[at] != 0 {
		return ""
	}
	name := message[at+1+4+1:]
	for i, c := range name {
		if c == 0 {
			return string(name[:i])
		}
	}
	return ""
}
