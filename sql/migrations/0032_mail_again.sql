alter table app.mail_digests add column language text check (length(language) <= 20);
comment on column app.mail_digests.language is 'in which the digest is written; null for the usual one';
