package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type thread struct {
	ID        string    `bson:"_id" json:"id"`
	Title     string    `bson:"title" json:"title"`
	UserID    string    `bson:"user_id" json:"user_id"`
	CreatedAt time.Time `bson:"created_at" json:"created_at"`
	UpdatedAt time.Time `bson:"updated_at" json:"updated_at"`
	Archived  bool      `bson:"archived" json:"archived"`
}

type message struct {
	ID        string    `bson:"_id" json:"id"`
	ThreadID  string    `bson:"thread_id" json:"thread_id"`
	Seq       int64     `bson:"seq" json:"-"`
	Role      string    `bson:"role" json:"role"`
	Content   string    `bson:"content" json:"content"`
	Status    string    `bson:"status" json:"status"`
	CreatedAt time.Time `bson:"created_at" json:"created_at"`
	UpdatedAt time.Time `bson:"updated_at" json:"updated_at"`
}

var errNotFound = errors.New("there is no such thread")

func newID() string {
	return uuid.Must(uuid.NewV7()).String()
}

func newMessage(thread, role, content string, now time.Time, behind int64) message {
	return message{newID(), thread, now.UnixMilli() + behind, role, content, "complete", now, now}
}

func limit(r *http.Request, otherwise int64) int64 {
	if n, err := strconv.ParseInt(r.URL.Query().Get("limit"), 10, 64); err == nil {
		return n
	}
	return otherwise
}

func (a *app) create(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Title string `json:"title"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	now := time.Now()
	made := thread{newID(), ask.Title, "bench", now, now, false}
	if _, err := a.threads.InsertOne(r.Context(), made); err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	send(w, http.StatusCreated, made)
}

func (a *app) list(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("user_id")
	if user == "" {
		user = "bench"
	}
	threads := []thread{}
	sort := options.Find().SetSort(bson.D{{Key: "updated_at", Value: -1}}).SetLimit(limit(r, 50))
	cursor, err := a.threads.Find(r.Context(), bson.M{"user_id": user}, sort)
	if err == nil {
		err = cursor.All(r.Context(), &threads)
	}
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	send(w, http.StatusOK, threads)
}

// The thread, or an error told.
func (a *app) find(w http.ResponseWriter, r *http.Request) (thread, bool) {
	var found thread
	if a.threads.FindOne(r.Context(), bson.M{"_id": r.PathValue("id")}).Decode(&found) != nil {
		fail(w, http.StatusNotFound, errNotFound)
		return found, false
	}
	return found, true
}

func (a *app) read(w http.ResponseWriter, r *http.Request) {
	if found, ok := a.find(w, r); ok {
		send(w, http.StatusOK, found)
	}
}

func (a *app) listMessages(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.find(w, r); !ok {
		return
	}
	messages := []message{}
	sort := options.Find().SetSort(bson.D{{Key: "seq", Value: -1}}).SetLimit(limit(r, 200))
	cursor, err := a.messages.Find(r.Context(), bson.M{"thread_id": r.PathValue("id")}, sort)
	if err == nil {
		err = cursor.All(r.Context(), &messages)
	}
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	slices.Reverse(messages)
	send(w, http.StatusOK, messages)
}

func (a *app) remove(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	gone, err := a.threads.DeleteOne(r.Context(), bson.M{"_id": id})
	if err == nil && gone.DeletedCount == 0 {
		fail(w, http.StatusNotFound, errNotFound)
		return
	}
	if err == nil {
		_, err = a.messages.DeleteMany(r.Context(), bson.M{"thread_id": id})
	}
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	send(w, http.StatusOK, map[string]any{"deleted": true, "id": id})
}
