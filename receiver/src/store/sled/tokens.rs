//! Tokens, found by their hash.

use uuid::Uuid;

use super::keys::{Key, Table};
use super::tx::Tx;
use crate::store::{StoreError, TokenRecord};

/// See [`crate::store::Store::put_token`].
pub(super) fn put(tx: &mut Tx<'_>, token: &TokenRecord) -> Result<(), StoreError> {
    revoke(tx, token.id)?;
    tx.put(by_hash(&token.hash), &token.id)?;
    tx.put(by_id(token.id), token)
}

/// See [`crate::store::Store::revoke_token`].
pub(super) fn revoke(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, StoreError> {
    let known: Option<TokenRecord> = tx.get(&by_id(id))?;
    let Some(token) = known else { return Ok(false) };
    tx.remove(by_hash(&token.hash))?;
    tx.remove(by_id(id))?;
    Ok(true)
}

/// See [`crate::store::Store::tokens`].
pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<TokenRecord>, StoreError> {
    let mut tokens: Vec<TokenRecord> = tx.list(&Key::of(Table::Tokens))?;
    tokens.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    Ok(tokens)
}

/// See [`crate::store::Store::token_by_hash`].
pub(super) fn with_hash(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Option<TokenRecord>, StoreError> {
    let id: Option<Uuid> = tx.get(&by_hash(hash))?;
    id.map_or(Ok(None), |id| tx.get(&by_id(id)))
}

fn by_hash(hash: &[u8; 32]) -> Key {
    Key::of(Table::TokensByHash).raw(hash)
}

fn by_id(id: Uuid) -> Key {
    Key::of(Table::Tokens).id(id)
}
