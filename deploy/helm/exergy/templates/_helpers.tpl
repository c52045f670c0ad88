{{- define "exergy.selector" -}}
app.kubernetes.io/name: exergy
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "exergy.labels" -}}
{{ include "exergy.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "exergy.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "exergy.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "exergy.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "exergy.environment" -}}
{{- range $name, $value := .Values.config }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: { name: {{ .Values.environmentSecret }}, key: DATABASE_URL }
- name: DATABASE_REPLICA_URLS
  valueFrom:
    secretKeyRef: { name: {{ .Values.environmentSecret }}, key: DATABASE_REPLICA_URLS, optional: true }
- name: REDIS_URL
  valueFrom:
    secretKeyRef: { name: {{ .Values.environmentSecret }}, key: REDIS_URL }
{{- end }}
