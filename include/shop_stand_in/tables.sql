-- The eight tables of a shop in Postgres, as its application would make them.
CREATE TABLE categories (
    id int PRIMARY KEY,
    name text NOT NULL,
    parent_id int REFERENCES categories
);
CREATE TABLE sellers (
    id int PRIMARY KEY,
    name text NOT NULL,
    country char(2),
    joined_on date
);
CREATE TABLE products (
    id bigint PRIMARY KEY,
    category_id int REFERENCES categories,
    seller_id int NOT NULL REFERENCES sellers,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price >= 0),
    attributes jsonb,
    updated_at timestamptz NOT NULL
);
CREATE TABLE users (
    id bigint PRIMARY KEY,
    username text NOT NULL UNIQUE,
    email text,
    born_on date,
    created_at timestamptz NOT NULL
);
CREATE TABLE sales (
    id bigint PRIMARY KEY,
    product_id bigint REFERENCES products ON DELETE SET NULL,
    user_id bigint NOT NULL REFERENCES users,
    seller_id int NOT NULL REFERENCES sellers,
    quantity int NOT NULL CHECK (quantity > 0),
    price_at_sale numeric(10, 2) NOT NULL,
    sale_date timestamptz NOT NULL
);
CREATE TABLE product_ratings (
    id bigint PRIMARY KEY,
    product_id bigint NOT NULL REFERENCES products ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES users,
    rating smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    comment text,
    rating_date timestamptz NOT NULL
);
CREATE TABLE seller_ratings (
    id bigint PRIMARY KEY,
    seller_id int NOT NULL REFERENCES sellers,
    user_id bigint NOT NULL REFERENCES users,
    rating smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    rating_date timestamptz NOT NULL
);
CREATE TABLE cart_items (
    id bigint PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    product_id bigint NOT NULL REFERENCES products ON DELETE CASCADE,
    quantity int NOT NULL CHECK (quantity > 0),
    added_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'purchased', 'removed'))
);
CREATE INDEX ON sales (product_id);
CREATE INDEX ON sales (user_id);
CREATE INDEX ON cart_items (product_id);
CREATE INDEX ON product_ratings (product_id);
