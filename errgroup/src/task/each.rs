//! One task for each item.

use super::cx::Cx;
use super::group::Group;
use crate::builder::Builder;
use crate::join::Join;
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
pub async fn for_each<I, E, J, F, Fut>(builder: Builder<J>, items: I, each: F) -> J::Output
where
    I: IntoIterator,
    I::Item: Send + 'static,
    E: Send + 'static,
    J: Join<(), E> + 'static,
    F: Fn(Cx<(), E>, I::Item) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
{
    map(builder, items, each).await
}

/// [`for_each`] for futures that give a value, which goes to the policy.
///
/// # Panics
///
/// As [`for_each`].
///
/// # Cancel safety
///
/// As [`for_each`].
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::{Builder, join::AllOk, task};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let builder = Builder::new().limit(2).join_with(AllOk::new());
/// let numbers = task::map(builder, ["1", "2"], |_, text| async move { text.parse::<u32>() }).await;
/// assert_eq!(numbers.unwrap(), [1, 2]);
/// # }
/// ```
pub async fn map<I, T, E, J, F, Fut>(builder: Builder<J>, items: I, each: F) -> J::Output
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
