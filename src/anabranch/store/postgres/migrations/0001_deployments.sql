-- What `apply` remembers: a row for each namespace of an environment, and one for each resource.
-- `token` is the lock's: whoever writes with another one has lost it. Times are seconds since 1970, by this server's clock.
CREATE TABLE anabranch.deployments (
    project     text NOT NULL,
    environment text NOT NULL,
    namespace   text NOT NULL,
    serial      bigint NOT NULL DEFAULT 0,
    token       bigint NOT NULL DEFAULT 0,
    holder      text NOT NULL DEFAULT '',
    held_at     double precision NOT NULL DEFAULT 0,
    expires_at  double precision NOT NULL DEFAULT 0,
    places      text NOT NULL DEFAULT '{}',
    PRIMARY KEY (project, environment, namespace)
);
-- `pending` marks a resource for which a call was about to be made: until it is recorded, nobody knows how it went.
CREATE TABLE anabranch.resources (
    project     text NOT NULL,
    environment text NOT NULL,
    namespace   text NOT NULL,
    address     text NOT NULL,
    name        text NOT NULL DEFAULT '',
    digest      text NOT NULL DEFAULT '',
    depends     text NOT NULL DEFAULT '[]',
    pending     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (project, environment, namespace, address)
);
