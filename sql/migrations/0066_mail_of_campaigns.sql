-- Which mail is a campaign's, said precisely.
comment on column bi.campaign_performance.delivered is 'letters that arrived: of its mailings, and of those without a mailing whose first category is linked to it; null if there are none. A letter is of one campaign at most: later categories count for credited orders, not here. On days of which only the provider''s own counts are known, a letter is in each of its categories that a retailer has: once in each campaign that one of them is linked to, twice in a campaign that two are linked to, and in none otherwise';
comment on column bi.campaign_performance.opens is 'times that letters of it, as in delivered, were opened';
comment on column bi.campaign_performance.clicks is 'clicks in letters of it, as in delivered';
comment on column bi.campaign_performance.unsubscribes is 'persons who unsubscribed by letters of it, as in delivered';
