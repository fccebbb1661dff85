//! The same service as c1d's core, as one would write it with axum, reqwest and the MongoDB driver: a chat whose answer is
//! passed on as it comes and kept when it has ended, and threads with their messages.
mod chat;
mod clients;
mod threads;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
    Json, Router,
};
use mongodb::{Client, Collection};
use serde_json::json;
use std::{env, sync::Arc};

pub struct App {
    pub clients: clients::Clients,
    pub url: String,
    pub key: String,
    pub threads: Collection<threads::Thread>,
    pub messages: Collection<threads::Message>,
}

pub struct Fail(StatusCode, String);

impl Fail {
    pub fn not_found() -> Self {
        Fail(StatusCode::NOT_FOUND, "there is no such thread".into())
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "detail": self.1 }))).into_response()
    }
}

impl From<mongodb::error::Error> for Fail {
    fn from(error: mongodb::error::Error) -> Self {
        Fail(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<reqwest::Error> for Fail {
    fn from(error: reqwest::Error) -> Self {
        Fail(StatusCode::BAD_GATEWAY, error.to_string())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = Client::with_uri_str(env::var("MONGODB_URI")?).await?.database("c1d");
    let app = Arc::new(App {
        clients: clients::Clients::new(env::var("THESYS_CA_FILE").ok())?,
        url: env::var("THESYS_BASE_URL")? + "/chat/completions",
        key: env::var("THESYS_API_KEY")?,
        threads: database.collection("threads"),
        messages: database.collection("messages"),
    });
    let routes = Router::new()
        .route("/api/health", get(|| async { Json(json!({ "status": "healthy" })) }))
        .route("/api/chat", post(chat::ask))
        .route("/api/threads", get(threads::list).post(threads::create))
        .route("/api/threads/{id}", get(threads::read).delete(threads::delete))
        .route("/api/threads/{id}/messages", get(threads::messages))
        .with_state(app);
    axum::serve(tokio::net::UnixListener::bind(env::var("PEER_SOCKET")?)?, routes).await?;
    Ok(())
}
