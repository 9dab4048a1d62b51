//! A coordinator of the tests' own: answers what it was told to, and remembers what it was asked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use clap::Parser as _;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::args::Args;
use crate::console::Console;
use crate::error::CliError;

type Asked = Arc<Mutex<Vec<(String, Value)>>>;

pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
    url: String,
    asked: Asked,
}

impl Desk {
    /// A desk with a coordinator that answers each `METHOD /path?query` so; nothing else is there.
    pub(crate) async fn with(answers: &[(&str, Value)]) -> Self {
        let answers: BTreeMap<String, Value> =
            answers.iter().map(|(route, value)| ((*route).to_owned(), value.clone())).collect();
        let asked = Asked::default();
        let heard = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let (answers, heard) = (answers.clone(), Arc::clone(&heard));
            async move { answer(&answers, &heard, request).await }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let desk = Self { folder: tempfile::tempdir().unwrap(), url, asked };
        desk.file("token", "a-token");
        desk
    }

    /// Where it answers, as `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs a command line as a reader.
    pub(crate) async fn ask(&self, words: &[&str]) -> Result<Answer, CliError> {
        let token = self.folder.path().join("token");
        let before =
            ["tercet", "--coordinator", &self.url, "--read-token-file", token.to_str().unwrap()];
        let args = Args::try_parse_from([&before[..], words].concat()).unwrap();
        crate::run(args, &Console::silent()).await
    }

    /// What was asked, each as its route and body.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(answers: &BTreeMap<String, Value>, heard: &Asked, request: Request) -> Response {
    let route = format!("{} {}", request.method(), request.uri());
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    heard.lock().unwrap().push((route.clone(), body));
    match answers.get(&route) {
        Some(value) => axum::Json(value.clone()).into_response(),
        None => (StatusCode::NOT_FOUND, axum::Json(json!(route))).into_response(),
    }
}
