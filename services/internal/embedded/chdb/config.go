package chdb

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"text/template"

	"github.com/dossier-cdp/dossier/services/internal/machine"
)

// engineConfig is the engine's server configuration.
//
// Memory: caches are small because the dossier's reads are point reads over the primary key, which the page cache serves.
//
// Durability: fsync_after_insert and fsync_part_directory make an acknowledged insert survive a power loss; old parts stay
// 480 s, a server's default, because the library's default of 0 leaves a merged and not yet synced part as the only copy.
//
// Idleness: one merge at a time per two cores is what one machine can use, and the sleeps between looks for work grow to a
// minute, so that an idle engine stays under 1 % of a core. Its look at its own memory, every 50 ms by default, was most of the rest.
//
// Privacy: where a configuration speaks of a log, the library writes every statement into it at debug level, whatever the level says, which
// costs a tenth of a point read's CPU. Statements may quote personal values. So the library's speaks of none and nothing is written; a
// server's goes nowhere. Failures reach the client and the supervisor instead.
var engineConfig = template.Must(template.New("engine").Parse(`<clickhouse>
{{- if .Server}}
  <logger>
    <level>none</level>
    <log>/dev/null</log>
    <errorlog>/dev/null</errorlog>
    <console>0</console>
  </logger>
{{- end}}
  <timezone>UTC</timezone>
{{- if .Server}}
  <path>{{.DataDir}}/</path>
  <tmp_path>{{.DataDir}}/tmp/</tmp_path>
  <user_files_path>{{.DataDir}}/user_files/</user_files_path>
  <format_schema_path>{{.DataDir}}/format_schemas/</format_schema_path>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{{.Port}}</http_port>
  <users_config>{{.UsersFile}}</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
{{- end}}
  <max_server_memory_usage>{{.MemoryLimit}}</max_server_memory_usage>
  <memory_worker_period_ms>500</memory_worker_period_ms>
  <mark_cache_size>33554432</mark_cache_size>
  <index_mark_cache_size>8388608</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <index_uncompressed_cache_size>0</index_uncompressed_cache_size>
  <mmap_cache_size>64</mmap_cache_size>
  <compiled_expression_cache_size>8388608</compiled_expression_cache_size>
  <max_thread_pool_size>256</max_thread_pool_size>
  <max_thread_pool_free_size>16</max_thread_pool_free_size>
  <background_pool_size>2</background_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_buffer_flush_schedule_pool_size>1</background_buffer_flush_schedule_pool_size>
  <background_distributed_schedule_pool_size>1</background_distributed_schedule_pool_size>
  <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
  <tables_loader_foreground_pool_size>2</tables_loader_foreground_pool_size>
  <tables_loader_background_pool_size>2</tables_loader_background_pool_size>
  <merge_tree>
    <old_parts_lifetime>480</old_parts_lifetime>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
    <merge_selecting_sleep_ms>5000</merge_selecting_sleep_ms>
    <max_merge_selecting_sleep_ms>60000</max_merge_selecting_sleep_ms>
    <cleanup_delay_period>60</cleanup_delay_period>
    <max_cleanup_delay_period>300</max_cleanup_delay_period>
  </merge_tree>
</clickhouse>
`))

// serverUsers is the user file of a stand-alone server: one user, whose password only this process and its child know.
var serverUsers = template.Must(template.New("users").Parse(`<clickhouse>
  <profiles><default><async_insert>0</async_insert></default></profiles>
  <quotas><default></default></quotas>
  <users>
    <default>
      <password_sha256_hex>{{.PasswordSHA256}}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>0</access_management>
    </default>
  </users>
</clickhouse>
`))

type configValues struct {
	DataDir     string
	MemoryLimit int64
	// Of a stand-alone server only.
	Server         bool
	Port           int
	UsersFile      string
	PasswordSHA256 string
}

// writeConfig fills a template into a file, replacing it as a whole.
func writeConfig(path string, t *template.Template, v configValues) error {
	dir, err := xmlText(v.DataDir)
	if err != nil {
		return err
	}
	v.DataDir = dir
	if v.UsersFile, err = xmlText(v.UsersFile); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return fmt.Errorf("write the engine's configuration: %w", err)
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the engine's configuration: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("write the engine's configuration: %w", err)
	}
	return nil
}

func xmlText(s string) (string, error) {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "", fmt.Errorf("write the engine's configuration: %w", err)
	}
	return b.String(), nil
}

const (
	configFile = "engine.xml"
	usersFile  = "users.xml"
	storeDir   = "store" // the engine's own folder within the data folder
)

// defaultMemoryLimit leaves room for the rest of the product on a small machine: a quarter of the machine's memory, within
// 1 to 4 GiB. The engine refuses queries beyond it (code 241) instead of being killed.
func defaultMemoryLimit() int64 {
	const gib = int64(1) << 30
	return min(max(machine.Memory()/4, gib), 4*gib)
}
