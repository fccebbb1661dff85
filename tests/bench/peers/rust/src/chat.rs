//! A question: its thread's messages and itself go to the model, the answer comes back as it is said, and both are kept in the
//! end.
use crate::{
    clients::Lease,
    threads::{new_id, Message},
    App, Fail,
};
use axum::{
    body::Body,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    Json,
};
use bytes::{Bytes, BytesMut};
use futures_util::{stream, Stream, StreamExt, TryStreamExt};
use mongodb::bson::{doc, DateTime};
use serde::Deserialize;
use serde_json::json;
use std::{borrow::Cow, pin::Pin, sync::Arc};

#[derive(Deserialize)]
pub struct Ask {
    thread_id: Option<String>,
    message: String,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
}

struct Answer {
    app: Arc<App>,
    upstream: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    buffer: BytesMut,
    thread_id: String,
    question: String,
    text: String,
    _lease: Lease,
}

impl Answer {
    /// The text of all whole events that are there.
    fn take_text(&mut self) -> String {
        let mut text = String::new();
        while let Some(end) = self.buffer.iter().position(|&c| c == b'\n') {
            let line = self.buffer.split_to(end + 1);
            let Some(data) = line.strip_prefix(b"data: ") else { continue };
            if let Ok(chunk) = serde_json::from_slice::<Chunk>(data) {
                for choice in &chunk.choices {
                    text.push_str(choice.delta.content.as_deref().unwrap_or(""));
                }
            }
        }
        text
    }

    async fn save(&mut self) -> mongodb::error::Result<()> {
        let now = DateTime::now();
        let message = |role: &str, content: &mut String, seq| Message {
            id: new_id(),
            thread_id: self.thread_id.clone(),
            seq,
            role: role.into(),
            content: std::mem::take(content),
            status: "complete".into(),
            created_at: now,
            updated_at: now,
        };
        let at = now.timestamp_millis();
        let pair = [message("user", &mut self.question, at), message("assistant", &mut self.text, at + 1)];
        self.app.messages.insert_many(&pair).await?;
        let update = doc! {
            "$set": { "updated_at": now },
            "$setOnInsert": { "user_id": "bench", "title": "A chat", "created_at": now, "archived": false },
        };
        self.app.threads.update_one(doc! { "_id": &self.thread_id }, update).upsert(true).await?;
        Ok(())
    }

    async fn next(mut self) -> Option<(reqwest::Result<String>, Self)> {
        loop {
            match self.upstream.next().await {
                Some(Ok(bytes)) => {
                    self.buffer.extend_from_slice(&bytes);
                    let text = self.take_text();
                    if !text.is_empty() {
                        self.text.push_str(&text);
                        return Some((Ok(text), self));
                    }
                }
                Some(Err(error)) => return Some((Err(error), self)),
                None => {
                    if let Err(error) = self.save().await {
                        eprintln!("not saved: {error}");
                    }
                    return None;
                }
            }
        }
    }
}

pub async fn ask(State(app): State<Arc<App>>, Json(ask): Json<Ask>) -> Result<Response, Fail> {
    let thread_id = ask.thread_id.unwrap_or_else(new_id);
    let found = app.messages.find(doc! { "thread_id": &thread_id }).sort(doc! { "seq": -1 }).limit(50).await?;
    let history: Vec<Message> = found.try_collect().await?;
    let mut messages: Vec<_> = history.iter().rev().map(|m| json!({ "role": m.role, "content": m.content })).collect();
    messages.push(json!({ "role": "user", "content": ask.message }));
    let lease = app.clients.take()?;
    let body = json!({ "model": "c1/bench", "stream": true, "messages": messages });
    let answer = lease.client().post(&app.url).bearer_auth(&app.key).json(&body).send().await?.error_for_status()?;
    let answer = Answer {
        upstream: Box::pin(answer.bytes_stream()),
        app: app.clone(),
        buffer: BytesMut::new(),
        thread_id,
        question: ask.message,
        text: String::new(),
        _lease: lease,
    };
    let body = Body::from_stream(stream::unfold(answer, Answer::next));
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}
