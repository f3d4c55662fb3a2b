//! One task for each item.

use super::cx::Cx;
use super::group::Group;
use crate::builder::Builder;
use crate::join::{AllOk, Join};
use crate::primitives::Arc;
use std::future::Future;

/// Runs `each` for every item, in parallel, within the limits of `builder`: what its policy makes
/// of the results. The task's index is the item's.
///
/// Items are taken one by one, as places become free. Once the group is cancelled, the rest is not
/// taken.
///
/// # Panics
///
/// If a task panicked and the group resumes panics.
///
/// # Cancel safety
///
/// Dropped, it aborts the tasks.
///
/// # Examples
///
/// Deploy to many environments; the first failure cancels the others and is returned:
///
/// ```
/// use lockgate_errgroup::{Builder, task};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let deployed = task::for_each(Builder::new().limit(4), ["eu", "us", "ap"], |cx, env| async move {
///     cx.check().map_err(|cancelled| cancelled.to_string())?;
///     if env == "us" { Err(format!("{env}: no quota")) } else { Ok(()) }
/// })
/// .await;
/// assert_eq!(deployed.unwrap_err().to_string(), "task 1: us: no quota");
/// # }
/// ```
pub async fn for_each<I, T, E, J, F, Fut>(builder: Builder<J>, items: I, each: F) -> J::Output
where
    I: IntoIterator,
    I::Item: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    J: Join<T, E> + 'static,
    F: Fn(Cx<T, E>, I::Item) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    if let Err(error) = builder.check() {
        return builder.join.refuse(error);
    }
    let group = Group::from_valid(builder);
    let each = Arc::new(each);
    for item in items {
        let each = Arc::clone(&each);
        if group.spawn(move |cx| each(cx, item)).await.is_rejected() {
            break;
        }
    }
    group.join().await
}

/// [`for_each`] for the values: all of them, in the order of the items, or the first error.
///
/// # Errors
///
/// The first error in time; the rest is cancelled.
///
/// # Panics
///
/// As [`for_each`].
///
/// # Cancel safety
///
/// As [`for_each`].
pub async fn map<I, T, E, K, F, Fut>(
    builder: Builder<K>,
    items: I,
    each: F,
) -> <AllOk<T, E> as Join<T, E>>::Output
where
    I: IntoIterator,
    I::Item: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: Fn(Cx<T, E>, I::Item) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    for_each(builder.replace_join(AllOk::new()), items, each).await
}
