-- The tables of a list as the catalog describes them: one row for each name, also where there is no such table.
-- Rights: none beyond those of any role. Cost: some ms.
WITH RECURSIVE wanted AS (
    SELECT name, place, c.oid, c.relkind, c.relname, n.oid AS namespace
    FROM unnest(%(names)s::text[]) WITH ORDINALITY AS list (name, place)
    LEFT JOIN pg_namespace n ON n.nspname = %(schema)s
    LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = list.name
),
bases AS (  -- the type of each column, and below a domain the type that it is of
    SELECT a.attrelid, a.attnum, t.oid, t.typtype, t.typbasetype, a.atttypmod AS typmod
    FROM pg_attribute a JOIN wanted ON wanted.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attrelid, b.attnum, t.oid, t.typtype, t.typbasetype, CASE b.typmod WHEN -1 THEN d.typtypmod ELSE b.typmod END
    FROM bases b JOIN pg_type d ON d.oid = b.oid JOIN pg_type t ON t.oid = d.typbasetype
    WHERE b.typtype = 'd'
),
columns AS (
    SELECT a.attrelid, jsonb_agg(jsonb_build_object(
        'number', a.attnum,
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'base', CASE
            WHEN t.typcategory = 'A' AND t.typname LIKE '\_%%' THEN 'array'
            WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname
            ELSE 'other'
        END,
        'modifier', b.typmod,
        'may_read', has_column_privilege(a.attrelid, a.attnum, 'SELECT'),
        -- What changes old rows without touching them: labels, and what is computed when it is read.
        'meaning', coalesce(
            CASE WHEN a.attgenerated <> '' THEN (
                SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
                WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum
            ) END,
            (SELECT string_agg(e.oid || ' ' || e.enumlabel, ',' ORDER BY e.oid) FROM pg_enum e WHERE e.enumtypid = t.oid),
            ''
        )
    ) ORDER BY a.attnum) AS columns
    FROM bases b
    JOIN pg_attribute a ON a.attrelid = b.attrelid AND a.attnum = b.attnum
    JOIN pg_type t ON t.oid = b.oid
    WHERE b.typtype <> 'd'
    GROUP BY a.attrelid
),
leaves AS (
    SELECT wanted.oid, jsonb_agg(tree.relid::oid::bigint ORDER BY tree.relid::oid) AS oids,
        bool_or(leaf.relkind = 'f') AS foreign_leaf
    FROM wanted CROSS JOIN LATERAL pg_partition_tree(wanted.oid) AS tree
    JOIN pg_class leaf ON leaf.oid = tree.relid
    WHERE wanted.relkind = 'p' AND tree.isleaf
    GROUP BY wanted.oid
)
SELECT
    wanted.name,
    wanted.oid::bigint AS oid,
    wanted.relkind::text AS kind,
    coalesce(columns.columns, '[]') AS columns,
    coalesce(leaves.oids, '[]') AS leaves,
    coalesce(leaves.foreign_leaf, false) AS foreign_leaf,
    coalesce((
        SELECT jsonb_agg(a.attname ORDER BY of_key.place)
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS of_key (number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = of_key.number
        WHERE i.indrelid = wanted.oid AND i.indisprimary AND of_key.place <= i.indnkeyatts
    ), '[]') AS key,
    wanted.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = wanted.oid) AS has_children,
    coalesce(has_schema_privilege(wanted.namespace, 'USAGE'), true) AS may_use_schema,
    coalesce(has_table_privilege(wanted.oid, 'SELECT'), true) AS may_read,
    coalesce(row_security_active(wanted.oid), false) AS row_security,
    current_user::text AS role,
    current_setting('server_encoding') AS encoding,
    current_setting('server_version_num')::int AS server_version
FROM wanted
LEFT JOIN columns ON columns.attrelid = wanted.oid
LEFT JOIN leaves ON leaves.oid = wanted.oid
ORDER BY wanted.place
