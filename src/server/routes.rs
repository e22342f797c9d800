//! The routes, with their handlers: from a body to a command, and from its result to a response.

use super::bodies::{
    AccountRequest, DeployRequest, Place, RequestBody, RunRequest, UpgradeRequest,
};
use super::document::{self, Answer, Failure};
use super::guard::guard;
use super::page;
use super::work::Work;
use crate::messages::json::Writer;
use crate::tool::{self, Performed, ToolError};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A request that is not answered with a result.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// One line: what is wrong, and what to do.
    pub text: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refuse(self.status, self.text)
    }
}

impl From<ToolError> for Refusal {
    fn from(error: ToolError) -> Refusal {
        let status = match &error {
            ToolError::NoWorld { .. }
            | ToolError::NoAccount { .. }
            | ToolError::NoContract { .. } => StatusCode::NOT_FOUND,
            ToolError::WorldName(_) | ToolError::GasNotPaid { .. } => StatusCode::BAD_REQUEST,
            ToolError::WorldLocked { .. } => StatusCode::SERVICE_UNAVAILABLE,
            error if error.is_time_expired() => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let text = error.to_string();
        Refusal { status, text }
    }
}

/// The response to a request that is refused.
pub fn refuse(status: StatusCode, text: String) -> Response {
    let mut json = Vec::new();
    Writer::new(&mut json, false).object(|out| {
        out.member("error", |out| out.text(&text));
        out.member("errorMessage", |out| out.text(&text));
        out.member("data", |out| out.literal("null"));
    });
    let mut response = (status, with_type("application/json", json)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    secured(response)
}

/// All routes, with their description.
pub fn routes(work: Arc<Work>) -> Router {
    let api = OpenApiRouter::with_openapi(document::information())
        .routes(routes!(account))
        .routes(routes!(deploy))
        .routes(routes!(upgrade))
        .routes(routes!(run))
        .routes(routes!(query))
        .routes(routes!(worlds))
        .routes(routes!(accounts))
        .routes(routes!(show_account));
    let (router, document) = api.with_state(work).split_for_parts();
    let text = document::text(&document);
    router
        .route(
            "/openapi.json",
            get(async || with_type("application/json", text)),
        )
        .route("/", get(page::page))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        // The connection has a limit already.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(guard))
        .layer(axum::middleware::map_response(async |response| {
            secured(response)
        }))
}

/// Makes an account, or begins it anew. The world is made if it is not there.
#[utoipa::path(post, path = "/account", request_body = AccountRequest, responses(
    (status = 200, description = "The account", body = Answer),
    (status = "4XX", description = "Nothing was changed", body = Failure),
    (status = "5XX", description = "Nothing was changed", body = Failure),
))]
async fn account(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    let (place, new) = body_of::<AccountRequest>(&work, &body)?;
    let made = work.change(place, move |session, _| {
        let made = session.create_account(&new.address, new.nonce, new.balance, true)?;
        Ok(answer(
            &tool::account_outcome(&new.address, &made),
            &tool::account_json(&new.address, &made),
        ))
    });
    made.await
}

/// Deploys a contract. A contract that fails is a result, too: ReturnCode says so.
#[utoipa::path(post, path = "/deploy", request_body = DeployRequest, responses(
    (status = 200, description = "It ran", body = Answer),
    (status = "4XX", description = "Nothing was changed", body = Failure),
    (status = "5XX", description = "Nothing was changed", body = Failure),
))]
async fn deploy(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    transact(&work, body_of::<DeployRequest>(&work, &body)?).await
}

/// Replaces the code of a contract; its storage stays.
#[utoipa::path(post, path = "/upgrade", request_body = UpgradeRequest, responses(
    (status = 200, description = "It ran", body = Answer),
    (status = "4XX", description = "Nothing was changed", body = Failure),
    (status = "5XX", description = "Nothing was changed", body = Failure),
))]
async fn upgrade(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    transact(&work, body_of::<UpgradeRequest>(&work, &body)?).await
}

/// Calls a function of a contract.
#[utoipa::path(post, path = "/run", request_body = RunRequest, responses(
    (status = 200, description = "It ran", body = Answer),
    (status = "4XX", description = "Nothing was changed", body = Failure),
    (status = "5XX", description = "Nothing was changed", body = Failure),
))]
async fn run(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    transact(&work, body_of::<RunRequest>(&work, &body)?).await
}

/// Calls a function without a transaction: nothing is paid for, nothing changes.
#[utoipa::path(post, path = "/query", request_body = RunRequest, responses(
    (status = 200, description = "It ran", body = Answer),
    (status = "4XX", description = "It did not run", body = Failure),
    (status = "5XX", description = "It did not run", body = Failure),
))]
async fn query(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    let (place, mut request) = body_of::<RunRequest>(&work, &body)?;
    if let (true, tool::Action::Call { contract, .. }) = (request.from.is_empty(), &request.action)
    {
        request.from = contract.clone();
    }
    let queried = work.read(place, move |session, environment| {
        Ok(performed(&session.query(&request, environment)?))
    });
    queried.await
}

/// The names of the worlds.
#[utoipa::path(get, path = "/worlds", responses(
    (status = 200, description = "A list of names", body = Vec<String>),
    (status = "5XX", description = "The folder can't be read", body = Failure),
))]
async fn worlds(State(work): State<Arc<Work>>) -> Result<Response, Refusal> {
    let names = work.read(Place::default(), |session, _| session.database.worlds());
    Ok(with_type(
        "application/json",
        tool::names_json(&names.await?),
    ))
}

/// The accounts of a world, as `arwendebug account list --json` has them.
#[utoipa::path(get, path = "/worlds/{world}/accounts", params(
    ("world" = String, Path, description = "The name of the world"),
), responses(
    (status = 200, description = "A list of accounts", body = Vec<Object>),
    (status = "4XX", description = "There is no such world", body = Failure),
    (status = "5XX", description = "The world can't be read", body = Failure),
))]
async fn accounts(
    State(work): State<Arc<Work>>,
    Path(world): Path<String>,
) -> Result<Response, Refusal> {
    let place = Place {
        world,
        outcome: None,
    };
    let accounts = work.read(place, |session, _| {
        Ok(tool::accounts_json(&session.accounts()?))
    });
    Ok(with_type("application/json", accounts.await?))
}

/// An account, as `arwendebug account show --json` has it.
#[utoipa::path(get, path = "/worlds/{world}/accounts/{address}", params(
    ("world" = String, Path, description = "The name of the world"),
    ("address" = String, Path, description = "A name such as alice, or 64 hexadecimal digits"),
), responses(
    (status = 200, description = "The account", body = Object),
    (status = "4XX", description = "There is no such account", body = Failure),
    (status = "5XX", description = "The world can't be read", body = Failure),
))]
async fn show_account(
    State(work): State<Arc<Work>>,
    Path((world, address)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let address = tool::address(&address).map_err(bad)?;
    let place = Place {
        world,
        outcome: None,
    };
    let account = work.read(place, move |session, _| {
        Ok(tool::account_json(&address, &session.account(&address)?))
    });
    Ok(with_type("application/json", account.await?))
}

async fn transact(
    work: &Arc<Work>,
    (place, request): (Place, tool::Request),
) -> Result<Response, Refusal> {
    if request.from.is_empty() {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            text: "ImpersonatedHex is missing".to_owned(),
        });
    }
    let transacted = work.change(place, move |session, environment| {
        Ok(performed(&session.transact(&request, environment)?))
    });
    transacted.await
}

fn bad(error: impl ToString) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        text: error.to_string(),
    }
}

fn body_of<B: RequestBody>(work: &Work, body: &[u8]) -> Result<(Place, B::Meaning), Refusal> {
    let body: B = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is not the JSON of this route: {error}")))?;
    body.meaning(&work.database)
}

fn performed(performed: &Performed) -> Response {
    answer(&tool::outcome(performed), &tool::performed_json(performed))
}

/// The response to a request that was run: the outcome as the reference has it, and as this tool prints it.
fn answer(data: &[u8], result: &[u8]) -> Response {
    let mut json = Vec::new();
    Writer::new(&mut json, false).object(|out| {
        out.member("error", |out| out.literal("null"));
        out.member("errorMessage", |out| out.literal("null"));
        out.member("data", |out| out.literal(&String::from_utf8_lossy(data)));
        out.member("result", |out| {
            out.literal(&String::from_utf8_lossy(result))
        });
    });
    with_type("application/json", json)
}

async fn no_route(uri: Uri) -> Refusal {
    let text = format!(
        "there is nothing at {}; /openapi.json describes the routes",
        uri.path()
    );
    Refusal {
        status: StatusCode::NOT_FOUND,
        text,
    }
}

async fn no_method(uri: Uri) -> Refusal {
    let text = format!(
        "{} has another method; /openapi.json describes the routes",
        uri.path()
    );
    Refusal {
        status: StatusCode::METHOD_NOT_ALLOWED,
        text,
    }
}

/// A body of a type.
pub fn with_type(kind: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind)], body.into()).into_response()
}

/// What browsers must not do with any response.
fn secured(mut response: Response) -> Response {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
