//! The routes, with their handlers: from a body to a command, and from its result to a response.

use super::bodies::{
    AccountRequest, DeployRequest, Place, RequestBody, RunRequest, UpgradeRequest,
};
use super::document::{self, Answer};
use super::guard::guard;
use super::limits::{Limits, take_body};
use super::page;
use super::responses::{Refusal, answer, secured, with_type};
use super::work::Work;
use crate::tool::{self, Performed, RunParts};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// All routes, with their description. Bodies of requests are read within `limits`.
pub fn routes(work: Arc<Work>, limits: Arc<Limits>) -> Router {
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
        // `take_body` has a limit already.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(limits, take_body))
        .layer(from_fn(guard))
        .layer(map_response(async |response| secured(response)))
}

/// Makes an account, or begins it anew. The world is made if it is not there.
#[utoipa::path(post, path = "/account", request_body = AccountRequest, responses(
    (status = 200, description = "The account", body = Answer),
    Refusal,
))]
async fn account(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    let (place, new) = body_of::<AccountRequest>(&work, &body)?;
    let made = work.change(place, move |session, _| {
        let made = session.create_account(&new.address, new.nonce, new.balance, true)?;
        Ok(answer(
            tool::account_outcome(&new.address, &made),
            tool::account_json(&new.address, &made),
            None,
        ))
    });
    made.await?
}

/// Deploys a contract. A contract that fails is a result, too: ReturnCode says so.
#[utoipa::path(post, path = "/deploy", request_body = DeployRequest, responses(
    (status = 200, description = "It ran", body = Answer),
    Refusal,
))]
async fn deploy(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    transact(&work, body_of::<DeployRequest>(&work, &body)?).await
}

/// Replaces the code of a contract; its storage stays.
#[utoipa::path(post, path = "/upgrade", request_body = UpgradeRequest, responses(
    (status = 200, description = "It ran", body = Answer),
    Refusal,
))]
async fn upgrade(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    transact(&work, body_of::<UpgradeRequest>(&work, &body)?).await
}

/// Calls a function of a contract.
#[utoipa::path(post, path = "/run", request_body = RunRequest, responses(
    (status = 200, description = "It ran", body = Answer),
    Refusal,
))]
async fn run(State(work): State<Arc<Work>>, body: Bytes) -> Result<Response, Refusal> {
    transact(&work, body_of::<RunRequest>(&work, &body)?).await
}

/// Calls a function without a transaction: nothing is paid for, nothing changes.
#[utoipa::path(post, path = "/query", request_body = RunRequest, responses(
    (status = 200, description = "It ran", body = Answer),
    Refusal,
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
    queried.await?
}

/// The names of the worlds.
#[utoipa::path(get, path = "/worlds", responses(
    (status = 200, description = "A list of names", body = Vec<String>),
    Refusal,
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
    Refusal,
))]
async fn accounts(
    State(work): State<Arc<Work>>,
    Path(world): Path<String>,
) -> Result<Response, Refusal> {
    let place = Place {
        world,
        ..Place::default()
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
    Refusal,
))]
async fn show_account(
    State(work): State<Arc<Work>>,
    Path((world, address)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let address = tool::address(&address).map_err(Refusal::bad)?;
    let place = Place {
        world,
        ..Place::default()
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
        return Err(Refusal::bad("ImpersonatedHex is missing"));
    }
    let transacted = work.change(place, move |session, environment| {
        Ok(performed(&session.transact(&request, environment)?))
    });
    transacted.await?
}

fn body_of<B: RequestBody>(work: &Work, body: &[u8]) -> Result<(Place, B::Meaning), Refusal> {
    let body: B = serde_json::from_slice(body).map_err(|error| {
        Refusal::bad(format!("the body is not the JSON of this route: {error}"))
    })?;
    body.meaning(&work.database)
}

fn performed(performed: &Performed) -> Result<Response, Refusal> {
    let parts = RunParts {
        steps: true,
        gas: true,
    };
    let title = performed.request.action.name();
    let costs = performed.run.as_ref().map(|run| &run.costs);
    let picture = costs.map(|costs| tool::flame_graph(costs, title));
    answer(
        tool::outcome(performed),
        tool::performed_json(performed, parts),
        picture,
    )
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
