package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type said struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
}

// The thread's messages, oldest first, and the question.
func (a *app) prompt(ctx context.Context, thread, question string) ([]said, error) {
	var history []message
	cursor, err := a.messages.Find(ctx, bson.M{"thread_id": thread}, options.Find().SetSort(bson.D{{Key: "seq", Value: -1}}).SetLimit(50))
	if err == nil {
		err = cursor.All(ctx, &history)
	}
	if err != nil {
		return nil, err
	}
	slices.Reverse(history)
	prompt := make([]said, 0, len(history)+1)
	for _, m := range history {
		prompt = append(prompt, said{m.Role, m.Content})
	}
	return append(prompt, said{"user", question}), nil
}

func (a *app) open(ctx context.Context, prompt []said) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"model": "c1/bench", "stream": true, "messages": prompt})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := a.client.Do(request)
	if err == nil && answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		err = fmt.Errorf("the model answered %s", answer.Status)
	}
	return answer, err
}

// Passes on what comes; flushes when nothing more lies there.
func relay(w http.ResponseWriter, body io.Reader) (string, error) {
	var text strings.Builder
	reader, flusher := bufio.NewReader(body), w.(http.Flusher)
	for {
		line, err := reader.ReadSlice('\n')
		if err == io.EOF {
			return text.String(), nil
		}
		if err != nil {
			return text.String(), err
		}
		var event chunk
		data, isData := bytes.CutPrefix(line, []byte("data: "))
		if isData && json.Unmarshal(data, &event) == nil && len(event.Choices) > 0 {
			piece := event.Choices[0].Delta.Content
			text.WriteString(piece)
			io.WriteString(w, piece)
		}
		if reader.Buffered() == 0 {
			flusher.Flush()
		}
	}
}

func (a *app) save(thread, question, answer string) error {
	ctx, now := context.Background(), time.Now()
	pair := []message{newMessage(thread, "user", question, now, 0), newMessage(thread, "assistant", answer, now, 1)}
	if _, err := a.messages.InsertMany(ctx, pair); err != nil {
		return err
	}
	update := bson.M{
		"$set":         bson.M{"updated_at": now},
		"$setOnInsert": bson.M{"user_id": "bench", "title": "A chat", "created_at": now, "archived": false},
	}
	_, err := a.threads.UpdateOne(ctx, bson.M{"_id": thread}, update, options.UpdateOne().SetUpsert(true))
	return err
}

func (a *app) chat(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		ThreadID string `json:"thread_id"`
		Message  string `json:"message"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	if ask.ThreadID == "" {
		ask.ThreadID = newID()
	}
	prompt, err := a.prompt(r.Context(), ask.ThreadID, ask.Message)
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	answer, err := a.open(r.Context(), prompt)
	if err != nil {
		fail(w, http.StatusBadGateway, err)
		return
	}
	defer answer.Body.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text, err := relay(w, answer.Body)
	if err == nil {
		err = a.save(ask.ThreadID, ask.Message, text)
	}
	if err != nil {
		log.Print(err)
	}
}
