# aider against a gateway: one question in a directory of its own, without git and without asking anything.
set -eu
folder=$(mktemp -d)
cd "$folder"
HOME=$folder aider --model openai/auto --message 'Say hello.' --yes-always --no-git --no-check-update \
    --no-show-model-warnings --no-analytics --no-auto-commits --no-pretty >told 2>&1 || { cat told; exit 1; }
grep -E '^Tokens: .* sent, .* received' told || { cat told; exit 1; }
