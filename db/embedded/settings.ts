// How the embedded PostgreSQL is set up: for a small machine it shares with the server, safe against a power cut, and
// silent about what statements contain.

export interface SettingsParts {
  /** Connections that our pools may open. */
  connections: number;
  /** `fast` trades safety against a power cut for speed: for tests, whose data nobody keeps. */
  durability: "safe" | "fast";
}

/** Connections for what is outside the pools: notices, setup of databases, an operator with psql. */
const reserve = 16;

export function postgresSettings({ connections, durability }: SettingsParts): Record<string, string> {
  return {
    max_connections: String(connections + reserve),
    shared_buffers: "64MB",
    work_mem: "4MB",
    maintenance_work_mem: "64MB",
    temp_file_limit: "1GB",
    max_wal_size: "512MB",
    min_wal_size: "80MB",
    max_worker_processes: "4",
    max_parallel_workers: "2",
    max_parallel_workers_per_gather: "1",
    // Starting just-in-time compilation takes longer than the queries that functions send.
    jit: "off",
    wal_level: "minimal",
    max_wal_senders: "0",
    max_prepared_transactions: "0",
    unix_socket_permissions: "0700",
    password_encryption: "scram-sha-256",
    timezone: "UTC",
    log_timezone: "UTC",
    logging_collector: "off",
    log_min_messages: "log",
    log_min_error_statement: "panic",
    log_statement: "none",
    log_checkpoints: "off",
    ...(durability === "fast" ? { fsync: "off", full_page_writes: "off" } : {}),
  };
}
