_NCODEC_COMPLETE=fish_source ncodec | source
