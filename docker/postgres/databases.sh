#!/bin/bash
# Run by the image when its volume is empty: a database for the services' stores and one for the schema registry.
set -eo pipefail

psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 \
    --set store="$STORE_PASSWORD" --set registry="$REGISTRY_PASSWORD" <<'SQL'
CREATE ROLE safebus LOGIN PASSWORD :'store';
CREATE DATABASE safebus OWNER safebus;
CREATE ROLE registry LOGIN PASSWORD :'registry';
CREATE DATABASE registry OWNER registry;
SQL
