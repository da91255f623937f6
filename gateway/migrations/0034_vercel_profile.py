from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0033_provider_http2'),
    ]

    operations = [
        migrations.AlterField(
            model_name='provider',
            name='profile',
            field=models.CharField(blank=True, choices=[('default', 'default'), ('openai', 'openai'), ('deepseek', 'deepseek'), ('groq', 'groq'), ('google', 'google'), ('openrouter', 'openrouter'), ('vercel', 'vercel'), ('cerebras', 'cerebras'), ('nvidia-nim', 'nvidia-nim'), ('chutes', 'chutes'), ('vllm', 'vllm'), ('ollama', 'ollama'), ('llama-cpp', 'llama-cpp')], help_text='What it takes and how it speaks, for callers of another API; empty: by its host name', max_length=32),
        ),
    ]
