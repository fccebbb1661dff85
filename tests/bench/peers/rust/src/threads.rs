//! Threads and their messages.
use crate::{App, Fail};
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    Json,
};
use futures_util::TryStreamExt;
use mongodb::bson::{doc, DateTime};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{json, Value};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub struct Thread {
    #[serde(rename = "_id")]
    pub id: String,
    pub user_id: String,
    pub title: String,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub archived: bool,
}

#[derive(Serialize, Deserialize)]
pub struct Message {
    #[serde(rename = "_id")]
    pub id: String,
    pub thread_id: String,
    pub seq: i64,
    pub role: String,
    pub content: String,
    pub status: String,
    pub created_at: DateTime,
    pub updated_at: DateTime,
}

/// As clients see them.
#[derive(Serialize)]
pub struct ThreadOut {
    id: String,
    title: String,
    user_id: String,
    #[serde(serialize_with = "as_text")]
    created_at: DateTime,
    #[serde(serialize_with = "as_text")]
    updated_at: DateTime,
    archived: bool,
}

#[derive(Serialize)]
pub struct MessageOut {
    id: String,
    thread_id: String,
    role: String,
    content: String,
    status: String,
    #[serde(serialize_with = "as_text")]
    created_at: DateTime,
    #[serde(serialize_with = "as_text")]
    updated_at: DateTime,
}

fn as_text<S: Serializer>(time: &DateTime, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&time.try_to_rfc3339_string().unwrap_or_default())
}

impl From<Thread> for ThreadOut {
    fn from(t: Thread) -> Self {
        ThreadOut {
            id: t.id,
            title: t.title,
            user_id: t.user_id,
            created_at: t.created_at,
            updated_at: t.updated_at,
            archived: t.archived,
        }
    }
}

impl From<Message> for MessageOut {
    fn from(m: Message) -> Self {
        MessageOut {
            id: m.id,
            thread_id: m.thread_id,
            role: m.role,
            content: m.content,
            status: m.status,
            created_at: m.created_at,
            updated_at: m.updated_at,
        }
    }
}

#[derive(Deserialize)]
pub struct Page {
    limit: Option<i64>,
    user_id: Option<String>,
}

#[derive(Deserialize)]
pub struct NewThread {
    title: String,
}

pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

pub async fn create(State(app): State<Arc<App>>, Json(new): Json<NewThread>) -> Result<(StatusCode, Json<ThreadOut>), Fail> {
    let now = DateTime::now();
    let thread =
        Thread { id: new_id(), user_id: "bench".into(), title: new.title, created_at: now, updated_at: now, archived: false };
    app.threads.insert_one(&thread).await?;
    Ok((StatusCode::CREATED, Json(thread.into())))
}

pub async fn list(State(app): State<Arc<App>>, Query(page): Query<Page>) -> Result<Json<Vec<ThreadOut>>, Fail> {
    let filter = doc! { "user_id": page.user_id.unwrap_or_else(|| "bench".into()) };
    let found = app.threads.find(filter).sort(doc! { "updated_at": -1 }).limit(page.limit.unwrap_or(50)).await?;
    let threads: Vec<Thread> = found.try_collect().await?;
    Ok(Json(threads.into_iter().map(ThreadOut::from).collect()))
}

pub async fn read(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<ThreadOut>, Fail> {
    let thread = app.threads.find_one(doc! { "_id": id }).await?.ok_or_else(Fail::not_found)?;
    Ok(Json(thread.into()))
}

pub async fn messages(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<MessageOut>>, Fail> {
    app.threads.find_one(doc! { "_id": &id }).await?.ok_or_else(Fail::not_found)?;
    let found = app.messages.find(doc! { "thread_id": &id }).sort(doc! { "seq": -1 }).limit(page.limit.unwrap_or(200)).await?;
    let mut messages: Vec<Message> = found.try_collect().await?;
    messages.reverse();
    Ok(Json(messages.into_iter().map(MessageOut::from).collect()))
}

pub async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, Fail> {
    if app.threads.delete_one(doc! { "_id": &id }).await?.deleted_count == 0 {
        return Err(Fail::not_found());
    }
    app.messages.delete_many(doc! { "thread_id": &id }).await?;
    Ok(Json(json!({ "deleted": true, "id": id })))
}
