{{- define "dossier.name" -}}
{{- if contains "dossier" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-dossier" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "dossier.selector" -}}
app.kubernetes.io/name: dossier
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dossier.labels" -}}
{{ include "dossier.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The pod of a role: (dict "root" $ "role" NAME "values" its values) */}}
{{- define "dossier.pod" -}}
{{- $ := .root }}{{ $v := $.Values }}{{ $role := .role }}
metadata:
  labels:
    {{- include "dossier.labels" $ | nindent 4 }}
    app.kubernetes.io/component: {{ $role }}
  annotations:
    prometheus.io/scrape: "true"
    prometheus.io/port: "8080"
spec:
  serviceAccountName: {{ include "dossier.name" $ }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 40
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{ toJson . }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{ toJson . }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "dossier.selector" $ | nindent 10 }}
          app.kubernetes.io/component: {{ $role }}
  containers:
    - name: {{ $role }}
      image: "{{ $v.image.repository }}:{{ $v.image.tag | default $.Chart.AppVersion }}"
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: ["serve", "--roles", {{ $role | quote }}, "--advertise", "$(POD_IP):9090"]
      env:
        - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: DOSSIER_DATA, value: /data}
        - {name: DOSSIER_LISTEN, value: "0.0.0.0:8080"}
        - {name: DOSSIER_RPC, value: "0.0.0.0:9090"}
        - {name: DOSSIER_CERTIFICATE, value: /certificate}
        - {name: DOSSIER_LOG_LEVEL, value: {{ $v.log.level | quote }}}
        - {name: DOSSIER_LOG_FORMAT, value: {{ $v.log.format | quote }}}
        - {name: DOSSIER_KAFKA, value: {{ join "," (required "kafka.brokers: give the brokers as host:port" $v.kafka.brokers) | quote }}}
        {{- with $v.kafka.topicPrefix }}
        - {name: DOSSIER_TOPIC_PREFIX, value: {{ . | quote }}}
        {{- end }}
        {{- with $v.kafka.replication }}
        - {name: DOSSIER_KAFKA_REPLICATION, value: {{ . | quote }}}
        {{- end }}
        {{- if $v.kafka.tls.enabled }}
        - {name: DOSSIER_KAFKA_TLS, value: "true"}
        {{- if $v.kafka.tls.secret }}
        - {name: DOSSIER_KAFKA_TLS_CA, value: /kafka/ca.crt}
        {{- end }}
        {{- if $v.kafka.tls.clientCertificate }}
        - {name: DOSSIER_KAFKA_TLS_CERT, value: /kafka/tls.crt}
        - {name: DOSSIER_KAFKA_TLS_KEY, value: /kafka/tls.key}
        {{- end }}
        {{- end }}
        {{- with $v.kafka.sasl }}
        {{- if .mechanism }}
        - {name: DOSSIER_KAFKA_SASL, value: {{ .mechanism | quote }}}
        - {name: DOSSIER_KAFKA_USER, value: {{ required "kafka.sasl.user: name the user" .user | quote }}}
        - {name: DOSSIER_KAFKA_PASSWORD_FILE, value: /kafka-password/password}
        {{- end }}
        {{- end }}
        - {name: DOSSIER_CLICKHOUSE, value: {{ required "clickhouse.url: give ClickHouse's address" $v.clickhouse.url | quote }}}
        - {name: DOSSIER_CLICKHOUSE_USER, value: {{ $v.clickhouse.user | quote }}}
        - {name: DOSSIER_CLICKHOUSE_PASSWORD_FILE, value: /clickhouse-password/password}
        - {name: DOSSIER_ARCHIVE, value: {{ required "archive.url: give the storage as s3://bucket/prefix" $v.archive.url | quote }}}
        {{- with $v.partitions }}
        - {name: DOSSIER_PARTITIONS, value: {{ . | quote }}}
        {{- end }}
        {{- if and $v.maxQueryCost (eq $role "api") }}
        - {name: DOSSIER_MAX_QUERY_COST, value: {{ $v.maxQueryCost | quote }}}
        {{- end }}
        {{- with $v.otlp }}
        - {name: DOSSIER_OTLP, value: {{ . | quote }}}
        {{- end }}
        {{- if eq $role "keeper" }}
        {{- with $v.publicUrl }}
        - {name: DOSSIER_PUBLIC_URL, value: {{ . | quote }}}
        {{- end }}
        - {name: DOSSIER_MASTER_KEY_FILE, value: /master-key/master-key}
        {{- end }}
      {{- with $v.archive.secret }}
      envFrom:
        - secretRef: {name: {{ . | quote }}}
      {{- end }}
      ports:
        - {name: http, containerPort: 8080}
        - {name: rpc, containerPort: 9090}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 5
        failureThreshold: 120
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 3
        timeoutSeconds: 5
      resources: {{ toJson .values.resources }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        - {name: certificate, mountPath: /certificate, readOnly: true}
        - {name: clickhouse-password, mountPath: /clickhouse-password, readOnly: true}
        {{- if $v.kafka.tls.secret }}
        - {name: kafka, mountPath: /kafka, readOnly: true}
        {{- end }}
        {{- if $v.kafka.sasl.mechanism }}
        - {name: kafka-password, mountPath: /kafka-password, readOnly: true}
        {{- end }}
        {{- if eq $role "keeper" }}
        - {name: master-key, mountPath: /master-key, readOnly: true}
        {{- end }}
  volumes:
    - {name: tmp, emptyDir: {}}
    {{- if not .values.storage }}
    - {name: data, emptyDir: {}}
    {{- end }}
    - {name: certificate, secret: {secretName: "{{ $v.certificates.secretPrefix }}-{{ $role }}", defaultMode: 0440}}
    - {name: clickhouse-password, secret: {secretName: {{ required "clickhouse.secret: name the secret with the key password" $v.clickhouse.secret | quote }}, defaultMode: 0440}}
    {{- with $v.kafka.tls.secret }}
    - {name: kafka, secret: {secretName: {{ . | quote }}, defaultMode: 0440}}
    {{- end }}
    {{- if $v.kafka.sasl.mechanism }}
    - {name: kafka-password, secret: {secretName: {{ required "kafka.sasl.secret: name the secret with the key password" $v.kafka.sasl.secret | quote }}, defaultMode: 0440}}
    {{- end }}
    {{- if eq $role "keeper" }}
    - {name: master-key, secret: {secretName: {{ required "masterKey.secret: name the secret with the key master-key" $v.masterKey.secret | quote }}, defaultMode: 0440}}
    {{- end }}
{{- end }}
