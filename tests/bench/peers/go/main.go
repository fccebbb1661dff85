// The same service as c1d's core, as one would write it with net/http and the MongoDB driver: a chat whose answer is passed on
// as it comes and kept when it has ended, and threads with their messages.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type app struct {
	client            *http.Client
	url, key          string
	threads, messages *mongo.Collection
}

func newClient(caFile string) (*http.Client, error) {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: 10000,
		IdleConnTimeout:     90 * time.Second,
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: transport}, nil
}

func send(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func fail(w http.ResponseWriter, status int, err error) {
	send(w, status, map[string]string{"detail": err.Error()})
}

func main() {
	client, err := newClient(os.Getenv("THESYS_CA_FILE"))
	if err != nil {
		log.Fatal(err)
	}
	store, err := mongo.Connect(options.Client().ApplyURI(os.Getenv("MONGODB_URI")))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Disconnect(context.Background())
	database := store.Database("c1d")
	a := &app{
		client: client, url: os.Getenv("THESYS_BASE_URL") + "/chat/completions", key: os.Getenv("THESYS_API_KEY"),
		threads: database.Collection("threads"), messages: database.Collection("messages"),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", func(w http.ResponseWriter, _ *http.Request) {
		send(w, http.StatusOK, map[string]string{"status": "healthy"})
	})
	mux.HandleFunc("POST /api/chat", a.chat)
	mux.HandleFunc("POST /api/threads", a.create)
	mux.HandleFunc("GET /api/threads", a.list)
	mux.HandleFunc("GET /api/threads/{id}", a.read)
	mux.HandleFunc("DELETE /api/threads/{id}", a.remove)
	mux.HandleFunc("GET /api/threads/{id}/messages", a.listMessages)
	listener, err := net.Listen("unix", os.Getenv("PEER_SOCKET"))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, mux))
}
