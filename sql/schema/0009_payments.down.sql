DROP TABLE refunds, provider_events, payments CASCADE;
